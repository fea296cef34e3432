package attack

// insideCase is one attack from inside a live box. Its script prints OPEN
// when it got through.
type insideCase struct{ id, ref, script string }

// insideCases are attacks of kinds that advisories keep repeating, in forms
// of our own.
func insideCases() []insideCase {
	return []insideCase{
		{"proc-environ", "variables of PID 1 through its threads", `for t in /proc/1/task/*; do cat $t/environ 2>/dev/null; done | grep -aq . && echo OPEN`},
		{"proc-1-links", "working directory, program and maps of PID 1", `for f in cwd exe root; do readlink /proc/1/$f >/dev/null 2>&1 && echo OPEN; done; for f in maps smaps auxv stack syscall; do [ "$(head -c 1 /proc/1/$f 2>/dev/null | wc -c)" -gt 0 ] && echo OPEN; done; true`},
		{"proc-1-write", "setting properties of PID 1", `for f in oom_score_adj coredump_filter clear_refs timerslack_ns comm; do (echo 1 > /proc/1/$f) 2>/dev/null && echo OPEN; done; true`},
		{"proc-mem", "writing into PID 1", `perl -e 'print "OPEN" if open(my $f,"+<","/proc/1/mem")'`},
		{"pidfd-getfd", "taking descriptors out of PID 1", `perl -e 'my $p=syscall(434,1,0); if($p>=0){ my $r=syscall(438,$p,0,0); print "OPEN" if $r>=0 }'`},
		{"ptrace-seize", "seizing PID 1", `perl -e 'print "OPEN" if syscall(101,0x4206,1,0,0)==0'`},
		{"prlimit", "limits of PID 1", `perl -e 'my $l=pack("QQ",1,1); print "OPEN" if syscall(302,1,7,$l,0)==0'`},
		{"signals", "ending or freezing PID 1 by any signal", `for s in $(seq 1 64); do kill -$s 1 2>/dev/null; done; sleep 0.1; grep -q '^State:.[TZX]' /proc/1/status && echo OPEN; true`},
		{"abstract", "sockets without a file", `perl -e 'open(my $f,"<","/proc/net/unix"); while(<$f>){ print "OPEN" if / @\S/ }'`},
		{"listeners", "anything that listens in the network namespace", `perl -e 'for my $p ("tcp","tcp6","udp","udp6"){ open(my $f,"<","/proc/net/$p") or next; <$f>; while(<$f>){ print "OPEN" } }'`},
		{"netlink", "changing the network", `perl -e 'use Socket; socket(my $s,16,3,0) and bind($s,pack("SSLL",16,0,0,0)) or exit; my $m=pack("LSSLL",32,16,5,1,0).pack("CCSlLL",0,0,0,1,0,1); syscall(44,fileno($s),$m,length $m,0,0,0)>0 or exit; sysread($s,my $r,4096); my($l,$t)=unpack("LS",$r); my $e=unpack("l",substr($r,16,4)); print "OPEN" if $t==2 && $e==0'`},
		{"dev-nodes", "devices that are not the usual ones", `find /dev \( -type b -o -type c \) 2>/dev/null | grep -vE '^/dev/(null|zero|full|random|urandom|tty|ptmx|console|pts/(ptmx|[0-9]+))$' | grep -q . && echo OPEN`},
		{"mknod", "device nodes of our own", `for t in "b 8 0" "c 1 1" "c 10 200" "c 5 1"; do mknod /tmp/n $t 2>/dev/null && (: < /tmp/n) 2>/dev/null && echo OPEN; rm -f /tmp/n; done; true`},
		{"setuid", "set-uid files in the image", `find / -xdev \( -perm -4000 -o -perm -2000 \) -type f 2>/dev/null | grep -q . && echo OPEN`},
		{"setuid-own", "a set-uid copy of a shell", `cp /bin/sh /tmp/s && chmod 6755 /tmp/s && [ "$(/tmp/s -c 'id -u')" != "$(id -u)" ] && echo OPEN`},
		{"filecaps", "capabilities on a file", `perl -e 'open(my $f,">","/tmp/c"); my $v=pack("LLLLL",0x02000001,0xffffffff,0,0,0); print "OPEN" if syscall(188,"/tmp/c\0","security.capability\0",$v,20,0)==0'`},
		{"fanotify", "watching a whole file system", `perl -e 'print "OPEN" if syscall(300,0,0)>=0'`},
		{"quotactl", "quotas", `perl -e 'my $b="\0"x256; print "OPEN" if syscall(179,0x800007<<8,"/dev/vda\0",0,$b)==0'`},
		{"name-to-handle", "handles of files that are not ours", `perl -e 'my $h=pack("Ll",128,0).("\0"x128); my $m=pack("l",0); if(syscall(303,-100,"/\0",$h,$m,0)==0){ print "OPEN" if syscall(304,3,$h,0)>=0 }'`},
		{"sethostname", "the host's name", `perl -e 'print "OPEN" if syscall(170,"x",1)==0'`},
		{"nested", "user namespaces by every call", `perl -e 'print "OPEN" if syscall(272,0x10000000)==0; my $a=pack("Q11",0x10000000,0,0,0,17,0,0,0,0,0,0); my $r=syscall(435,$a,88); if($r==0){syscall(60,0)} print "OPEN" if $r>0'`},
		{"lsm", "labels and keys of the kernel", `for f in /proc/self/attr/exec /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; do (echo "0 0 1" > $f) 2>/dev/null && [ $f != /proc/self/attr/exec ] && echo OPEN; done; true`},
		{"sys-writes", "anything writable below /sys and /proc/sys", `find /sys /proc/sys -type f -perm -0200 2>/dev/null | head -3000 | while read f; do (: >> "$f") 2>/dev/null && echo "OPEN $f"; done | head -3`},
		{"cgroup-procs", "leaving the control group", `find /sys/fs/cgroup -name cgroup.procs 2>/dev/null | while read f; do (echo $$ > "$f") 2>/dev/null && echo OPEN; done; find /sys/fs/cgroup -maxdepth 2 -type d 2>/dev/null | while read d; do mkdir "$d/x" 2>/dev/null && echo OPEN; done; true`},
		{"hostname-leak", "the host's name and mounts", `grep -qE ' /(var/lib/docker|home|root)' /proc/self/mountinfo | grep -v workdir && echo OPEN; true`},
		{"supervisor-swap", "taking the supervisor's place", `ln -sf /bin/sh /.chitin/sup 2>/dev/null && echo OPEN; cp /bin/sh /.chitin/sup 2>/dev/null && echo OPEN; mkdir /.chitin/c/x 2>/dev/null && echo OPEN; true`},
		{"workspace-up", "names above the workspace", `cd /workspace && ls ../.. | grep -qE '^(boxes|box.json|nonce)$' && echo OPEN; true`},
		{"clone-into", "taking root's supplementary groups", `id -G | tr ' ' '\n' | grep -qx 0 && echo OPEN; true`},
		{"memfd-seal", "running what is on no disk with other rights", `perl -e 'my $f=syscall(319,"x\0",0); exit if $f<0; open(my $s,"<","/bin/true"); local $/; my $b=<$s>; syscall(1,$f,$b,length $b); my $o=qx(/proc/$$/fd/$f 2>&1; id -u); print "OPEN" if $o=~/^0$/m'`},
	}
}
