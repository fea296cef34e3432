package cron

import (
	"strings"
	"testing"
	"time"
)

func when(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestNext(t *testing.T) {
	for name, tc := range map[string]struct {
		s          Schedule
		from, want string // want "": never again
	}{
		"at":                       {Schedule{Kind: "at", At: "2030-01-31T10:00:00+01:00"}, "2030-01-31T08:59:59Z", "2030-01-31T09:00:00Z"},
		"at, passed":               {Schedule{Kind: "at", At: "2030-01-31T10:00:00+01:00"}, "2030-01-31T09:00:00Z", ""},
		"at, within a millisecond": {Schedule{Kind: "at", At: "2030-01-31T09:00:00.0009Z"}, "2030-01-31T09:00:00Z", ""},
		"every, from its anchor":   {Schedule{Kind: "every", EveryMs: 60_000, AnchorMs: 1_900_000_030_000}, "2030-03-17T17:47:00Z", "2030-03-17T17:47:10Z"},
		"every, on the beat":       {Schedule{Kind: "every", EveryMs: 60_000, AnchorMs: 1_900_000_030_000}, "2030-03-17T17:47:10Z", "2030-03-17T17:48:10Z"},
		"every, before anchor":     {Schedule{Kind: "every", EveryMs: 60_000, AnchorMs: 1_900_000_030_000}, "2029-01-01T00:00:00Z", "2030-03-17T17:47:10Z"},
		"cron in UTC":              {Schedule{Kind: "cron", Expr: "30 9 * * *"}, "2030-01-01T09:30:00Z", "2030-01-02T09:30:00Z"},
		"cron in a zone":           {Schedule{Kind: "cron", Expr: "0 9 * * *", TZ: "Europe/Berlin"}, "2030-07-01T00:00:00Z", "2030-07-01T07:00:00Z"},
		"the same in winter":       {Schedule{Kind: "cron", Expr: "0 9 * * *", TZ: "Europe/Berlin"}, "2030-12-01T00:00:00Z", "2030-12-01T08:00:00Z"},
		"weekdays":                 {Schedule{Kind: "cron", Expr: "0 9 * * 1-5"}, "2030-03-01T10:00:00Z", "2030-03-04T09:00:00Z"},
		"month day or weekday":     {Schedule{Kind: "cron", Expr: "0 0 13 * 5"}, "2030-03-01T10:00:00Z", "2030-03-08T00:00:00Z"},
		"descriptor":               {Schedule{Kind: "cron", Expr: "@daily"}, "2030-03-01T10:00:00Z", "2030-03-02T00:00:00Z"},
		"leap day":                 {Schedule{Kind: "cron", Expr: "0 0 29 2 *"}, "2030-03-01T10:00:00Z", "2032-02-29T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.s.Validate(); err != nil {
				t.Fatal(err)
			}
			got, want := tc.s.Next(when(t, tc.from)), time.Time{}
			if tc.want != "" {
				want = when(t, tc.want)
			}
			if !got.Equal(want) {
				t.Errorf("next = %v, want %v", got, want)
			}
		})
	}
}

func TestNextWhenClocksChange(t *testing.T) {
	// Berlin skips 02:00 to 03:00 on 2030-03-31 and has it twice on 2030-10-27.
	for name, tc := range map[string]struct {
		expr, from string
		want       int // runs in 24 hours
	}{
		"daily, the hour that is not":      {"30 2 * * *", "2030-03-30T12:00:00Z", 1},
		"daily, the hour that comes twice": {"30 2 * * *", "2030-10-26T12:00:00Z", 1},
		"two in the hour that comes twice": {"0,30 2 * * *", "2030-10-26T12:00:00Z", 2},
		"hourly, forwards":                 {"30 * * * *", "2030-03-30T12:00:00Z", 24},
		"hourly, backwards":                {"30 * * * *", "2030-10-26T12:00:00Z", 24},
	} {
		t.Run(name, func(t *testing.T) {
			s, runs := Schedule{Kind: "cron", Expr: tc.expr, TZ: "Europe/Berlin"}, 0
			for at, end := when(t, tc.from), when(t, tc.from).Add(24*time.Hour); ; runs++ {
				if at = s.Next(at); at.After(end) {
					break
				}
			}
			if runs != tc.want {
				t.Errorf("%d runs, want %d", runs, tc.want)
			}
		})
	}
}

func TestBadSchedules(t *testing.T) {
	for name, tc := range map[string]struct {
		s    Schedule
		want string
	}{
		"no kind":          {Schedule{}, "kind"},
		"another kind":     {Schedule{Kind: "stream"}, "kind"},
		"no time":          {Schedule{Kind: "at", At: "tomorrow"}, "schedule.at"},
		"a time before 70": {Schedule{Kind: "at", At: "1912-01-01T00:00:00Z"}, "schedule.at"},
		"too often":        {Schedule{Kind: "every", EveryMs: 999}, "everyMs"},
		"overflow":         {Schedule{Kind: "every", EveryMs: 8640000000000000}, "everyMs"},
		"negative anchor":  {Schedule{Kind: "every", EveryMs: 60_000, AnchorMs: -1}, "anchorMs"},
		"empty":            {Schedule{Kind: "cron"}, "five fields"},
		"four fields":      {Schedule{Kind: "cron", Expr: "* * * *"}, "schedule.expr"},
		"six fields":       {Schedule{Kind: "cron", Expr: "* * * * * *"}, "schedule.expr"},
		"minute 60":        {Schedule{Kind: "cron", Expr: "60 * * * *"}, "schedule.expr"},
		"long":             {Schedule{Kind: "cron", Expr: strings.Repeat("1,", 200) + "1 * * * *"}, "schedule.expr"},
		"zone inside":      {Schedule{Kind: "cron", Expr: "TZ=Asia/Tokyo 0 9 * * *"}, "schedule.tz"},
		"unknown zone":     {Schedule{Kind: "cron", Expr: "0 9 * * *", TZ: "Mars/Olympus"}, "schedule.tz"},
		"path as zone":     {Schedule{Kind: "cron", Expr: "0 9 * * *", TZ: "../../etc/passwd"}, "schedule.tz"},
		"local zone":       {Schedule{Kind: "cron", Expr: "0 9 * * *", TZ: "Local"}, "schedule.tz"},
		"interval":         {Schedule{Kind: "cron", Expr: "@every 1s"}, "everyMs"},
		"30 February":      {Schedule{Kind: "cron", Expr: "0 0 30 2 *"}, "never due"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.s.Validate()
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err = %v, want one about %s", err, tc.want)
			}
			if !tc.s.Next(time.Now()).IsZero() {
				t.Error("a bad schedule is due some time")
			}
		})
	}
}

// FuzzSchedule holds that whatever is accepted moves on in time, by whole
// milliseconds: the database keeps no less.
func FuzzSchedule(f *testing.F) {
	f.Add("cron", "0 9 * * 1-5", "Europe/Berlin", int64(0), int64(0))
	f.Add("at", "2030-01-31T09:00:00.0009Z", "", int64(0), int64(0))
	f.Add("cron", "@hourly", "", int64(0), int64(0))
	f.Add("every", "", "", int64(60_000), int64(5))
	f.Add("at", "2030-01-31T09:00:00Z", "", int64(0), int64(0))
	f.Add("cron", "*/7 1-3,9 L ? 5#3", "TZ=", int64(0), int64(0))
	f.Fuzz(func(t *testing.T, kind, text, tz string, every, anchor int64) {
		s := Schedule{Kind: kind, At: text, Expr: text, TZ: tz, EveryMs: every, AnchorMs: anchor}
		if s.Validate() != nil {
			return
		}
		at := time.UnixMilli(1_900_000_000_000)
		for range 3 {
			next := s.Next(at)
			if next.IsZero() {
				return
			}
			if !next.After(at) || !next.Equal(next.Truncate(time.Millisecond)) {
				t.Fatalf("%+v: next after %v is %v", s, at, next)
			}
			at = next
		}
	})
}
