package gateway

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func remote(s string) limitKey { return newLimitKey(Client{Addr: netip.MustParseAddr(s)}) }

func TestConcurrentGuessesNeverExceedTheBudget(t *testing.T) {
	l := newLimiter(newLimits(RateLimitConfig{}), time.Now)
	var compared atomic.Int32
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			l.try(remote("192.0.2.1"), func() Outcome { compared.Add(1); return Wrong })
		})
	}
	wg.Wait()
	if n := compared.Load(); n != 10 {
		t.Fatalf("%d guesses were compared, the budget is 10", n)
	}
}

func TestConcurrentSlowGuessesNeverExceedTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(newLimits(RateLimitConfig{}), time.Now)
		var compared atomic.Int32
		for i := range 1000 {
			go func() {
				guess := func() Outcome { compared.Add(1); return Wrong }
				if i%2 == 0 { // quick and slow kinds share one budget
					l.try(remote("192.0.2.1"), guess)
					return
				}
				l.trySlow(t.Context(), remote("192.0.2.1"), func() Outcome { time.Sleep(time.Second); return guess() })
			}()
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := compared.Load(); n != 10 {
			t.Fatalf("%d guesses were compared, the budget is 10", n)
		}
	})
}

func TestRightSecretIsRefusedDuringLockoutAndWorksAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(newLimits(RateLimitConfig{MaxAttempts: 3, LockoutMs: 4000}), time.Now)
		k := remote("192.0.2.1")
		for range 3 {
			if _, wait, _ := l.try(k, func() Outcome { return Wrong }); wait != 0 {
				t.Fatal("locked too early")
			}
		}
		if _, wait, _ := l.try(k, func() Outcome { return Right }); wait != 4*time.Second {
			t.Fatalf("Retry-After %v, want 4s", wait)
		}
		time.Sleep(4 * time.Second)
		if out, wait, _ := l.try(k, func() Outcome { return Right }); out != Right || wait != 0 {
			t.Fatal("still locked after the lockout")
		}
		if len(l.entries) != 0 {
			t.Error("success did not clear the history")
		}
	})
}

func TestWindowSlides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(newLimits(RateLimitConfig{MaxAttempts: 3, WindowMs: 1000}), time.Now)
		k := remote("192.0.2.1")
		for i := range 20 {
			if _, wait, _ := l.try(k, func() Outcome { return Wrong }); wait != 0 {
				t.Fatalf("locked at attempt %d although only two fall into any window", i)
			}
			time.Sleep(501 * time.Millisecond)
		}
	})
}

func TestLoopbackLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(newLimits(RateLimitConfig{}), time.Now)
		k := remote("127.0.0.1")
		for i, want := range []time.Duration{250, 500, 1000, 2000, 4000, 5000, 5000} {
			_, wait, delay := l.try(k, func() Outcome { return Wrong })
			if wait != 0 || delay != want*time.Millisecond {
				t.Fatalf("failure %d: wait %v delay %v, want delay %vms", i, wait, delay, int(want))
			}
			time.Sleep(delay)
		}
		if out, wait, delay := l.try(k, func() Outcome { return Right }); out != Right || wait != 0 || delay != 0 {
			t.Fatal("a success on loopback must return at once")
		}
		if _, _, delay := l.try(k, func() Outcome { return Wrong }); delay != 250*time.Millisecond {
			t.Fatalf("success did not reset the ladder: %v", delay)
		}
	})
}

func TestConcurrentLoopbackFailuresShareOneTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(newLimits(RateLimitConfig{}), time.Now)
		for range 50 {
			if _, _, delay := l.try(remote("::1"), func() Outcome { return Wrong }); delay != 250*time.Millisecond {
				t.Fatalf("delay %v", delay)
			}
		}
	})
}

func TestBrowsersOnLoopbackAreNotExempt(t *testing.T) {
	l := newLimiter(newLimits(RateLimitConfig{}), time.Now)
	browser := newLimitKey(Client{Addr: netip.MustParseAddr("127.0.0.1"), Browser: true})
	for range 10 {
		l.try(browser, func() Outcome { return Wrong })
	}
	if _, wait, _ := l.try(browser, func() Outcome { return Right }); wait == 0 {
		t.Fatal("a browser was not locked out")
	}
	if _, wait, _ := l.try(remote("127.0.0.1"), func() Outcome { return Right }); wait != 0 {
		t.Fatal("the browser locked out local programs")
	}
}

func TestKeysAreBounded(t *testing.T) {
	l := newLimiter(newLimits(RateLimitConfig{MaxAttempts: 1}), time.Now)
	addr := netip.MustParseAddr("10.0.0.0")
	for range maxKeys {
		addr = addr.Next()
		l.try(newLimitKey(Client{Addr: addr}), func() Outcome { return Wrong })
	}
	if len(l.entries) != maxKeys {
		t.Fatalf("%d entries", len(l.entries))
	}
	// Every slot is locked: an unknown client fails once more and is then held.
	l.try(remote("192.0.2.1"), func() Outcome { return Wrong })
	if _, wait, _ := l.try(remote("192.0.2.1"), func() Outcome { return Right }); wait == 0 {
		t.Fatal("an unknown client may guess while the table is full of locked ones")
	}
	if len(l.entries) > maxKeys {
		t.Fatalf("the table grew to %d", len(l.entries))
	}
}

func TestOldestUnlockedIsEvicted(t *testing.T) {
	l := newLimiter(newLimits(RateLimitConfig{}), time.Now)
	addr := netip.MustParseAddr("10.0.0.0")
	for range maxKeys + 5 {
		addr = addr.Next()
		l.try(newLimitKey(Client{Addr: addr}), func() Outcome { return Wrong })
	}
	if len(l.entries) != maxKeys || l.entries[remote("10.0.0.1")] != nil || l.entries[newLimitKey(Client{Addr: addr})] == nil {
		t.Fatal("not the oldest was evicted")
	}
}

func TestOneCustomerIsOneClient(t *testing.T) {
	if remote("2001:db8::1") != remote("2001:db8::ffff:2") {
		t.Error("two addresses of one /64 have two budgets")
	}
	if remote("127.0.0.1") != remote("::1") || remote("127.0.0.1") != remote("127.8.9.10") {
		t.Error("loopback has several budgets")
	}
}

func TestSlowAttemptGivesUpWithItsContext(t *testing.T) {
	l := newLimiter(newLimits(RateLimitConfig{}), time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	block, entered := make(chan struct{}), make(chan struct{})
	go l.trySlow(t.Context(), remote("192.0.2.1"), func() Outcome { close(entered); <-block; return Right })
	<-entered
	cancel()
	if out, _, _ := l.trySlow(ctx, remote("192.0.2.1"), func() Outcome { t.Error("compared out of turn"); return Wrong }); out != Unavailable {
		t.Errorf("outcome %v", out)
	}
	close(block)
}
