package launch

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPlanRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) Step {
			return Step{Op: Op(rapid.Byte().Draw(rt, "op")),
				Args: rapid.SliceOfN(rapid.String(), 0, 5).Draw(rt, "args")}
		}), 0, 8).Draw(rt, "steps")
		b, err := Encode(steps)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(steps) != 0 && !reflect.DeepEqual(got, steps) {
			t.Fatalf("got %v, want %v", got, steps)
		}
	})
}

func TestPlanTooLarge(t *testing.T) {
	if _, err := Encode([]Step{{OpFile, []string{strings.Repeat("x", maxPlan)}}}); err == nil {
		t.Fatal("accepted")
	}
}

func FuzzDecode(f *testing.F) {
	b, err := Encode([]Step{{OpMkdir, []string{"/tmp", "01777"}}, {OpSeal, nil}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		steps, err := Decode(b)
		if err != nil {
			return
		}
		if again, err := Encode(steps); err != nil || len(again) > len(b) {
			t.Fatalf("%d bytes became %d: %v", len(b), len(again), err)
		}
	})
}
