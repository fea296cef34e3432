package sandbox

import "testing"

func TestDurableWritesReachTheSpec(t *testing.T) {
	yes, no := true, false
	for name, c := range map[string]struct {
		cfg  Config
		want bool
	}{
		"absent":                {Config{}, false},
		"on":                    {Config{DurableWrites: &yes}, true},
		"off":                   {Config{DurableWrites: &no}, false},
		"an agent turns it on":  {Merge(Config{}, &Override{DurableWrites: &yes}), true},
		"an agent turns it off": {Merge(Config{DurableWrites: &yes}, &Override{DurableWrites: &no}), false},
		"an agent says nothing": {Merge(Config{DurableWrites: &yes}, &Override{Scope: "session"}), true},
	} {
		s, err := BuildSpec(c.cfg, "namespace", "", nil)
		if err != nil || s.Durable != c.want {
			t.Errorf("%s: %v %v", name, s.Durable, err)
		}
	}
	off, err1 := BuildSpec(Config{}, "namespace", "", nil)
	on, err2 := BuildSpec(Config{DurableWrites: &yes}, "namespace", "", nil)
	if err1 != nil || err2 != nil || off.Hash() == on.Hash() {
		t.Error("a change of the key keeps the box", err1, err2)
	}
}
