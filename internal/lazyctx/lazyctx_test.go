package lazyctx_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chitin-sh/chitin/internal/lazyctx"
	"go.uber.org/goleak"
)

type key struct{}

func TestCancel(t *testing.T) {
	for _, waitFirst := range []bool{false, true} {
		ctx, cancel := lazyctx.WithCancel(context.WithValue(context.Background(), key{}, "v"))
		if waitFirst {
			ctx.Done()
		}
		if ctx.Err() != nil || ctx.Value(key{}) != "v" {
			t.Fatal("over before it began, or without its parent's values")
		}
		if _, ok := ctx.Deadline(); ok {
			t.Error("a deadline that nobody set")
		}
		cancel()
		cancel()
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(context.Cause(ctx), context.Canceled) {
			t.Errorf("err %v", ctx.Err())
		}
	}
}

func TestParentEnds(t *testing.T) {
	for _, waitFirst := range []bool{false, true} {
		parent, end := context.WithCancel(context.Background())
		ctx, cancel := lazyctx.WithTimeout(parent, time.Hour)
		if waitFirst {
			ctx.Done()
		}
		end()
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("err %v", ctx.Err())
		}
		<-ctx.Done()
		cancel()
	}
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := lazyctx.WithTimeout(context.Background(), time.Second)
		defer cancel()
		child, stop := context.WithCancel(ctx)
		defer stop()
		quiet, end := lazyctx.WithTimeout(context.Background(), time.Second)
		defer end()
		soon, finish := context.WithTimeout(context.Background(), time.Millisecond)
		defer finish()
		shorter, done := lazyctx.WithTimeout(soon, time.Hour)
		defer done()
		<-shorter.Done()
		if !errors.Is(shorter.Err(), context.DeadlineExceeded) || ctx.Err() != nil {
			t.Errorf("shorter %v, other %v", shorter.Err(), ctx.Err())
		}
		<-child.Done()
		for _, c := range []context.Context{ctx, child, quiet} {
			if !errors.Is(c.Err(), context.DeadlineExceeded) {
				t.Errorf("err %v", c.Err())
			}
		}
	})
}

func TestChildrenNeedNoGoroutine(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := lazyctx.WithCancel(context.Background())
	child, stop := context.WithTimeout(ctx, time.Hour)
	goleak.VerifyNone(t) // a context of an unknown kind would have begun to watch
	cancel()
	<-child.Done()
	stop()
}
