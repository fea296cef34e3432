package audit

import (
	"fmt"
	"strings"
	"time"
)

// Waiver accepts a finding for a reason. Ours has an owner and an end; the
// peer's suppressions are read as waivers without either.
type Waiver struct {
	CheckID string
	// Match is a substring of title, detail or location, any case.
	Match                         string
	TitleIncludes, DetailIncludes string
	Reason, Owner, Until          string
	// Key is the dotted config key that holds it.
	Key string
	// Peer marks an entry of security.audit.suppressions.
	Peer bool
	// Used counts the findings that it took out.
	Used int
	// Problem says what is missing from it.
	Problem string
	// Void waivers have no effect: they name no check or give no reason.
	Void bool
}

// Expired reports whether the waiver's last day has passed.
func (w *Waiver) Expired(now time.Time) bool {
	if w.Until == "" {
		return false
	}
	end, err := time.ParseInLocation(time.DateOnly, w.Until, now.Location())
	if err != nil {
		end, err = time.Parse(time.RFC3339, w.Until)
		return err != nil || now.After(end)
	}
	return !now.Before(end.AddDate(0, 0, 1))
}

func (w *Waiver) matches(f *Finding) bool {
	has := func(text, part string) bool {
		return part == "" || strings.Contains(strings.ToLower(text), strings.ToLower(part))
	}
	if w.CheckID != f.CheckID || !has(f.Title, w.TitleIncludes) || !has(f.Detail, w.DetailIncludes) {
		return false
	}
	if w.Match == "" || has(f.Title, w.Match) || has(f.Detail, w.Match) {
		return true
	}
	return f.Location != nil && (has(f.Location.Key, w.Match) || has(f.Location.File, w.Match))
}

// readWaivers reads security.audit.waivers and security.audit.suppressions.
func readWaivers(n *Node) []*Waiver {
	var out []*Waiver
	for i, it := range n.Get("waivers").Items() {
		w := &Waiver{
			CheckID: it.Get("checkId").Text(), Match: it.Get("match").Text(),
			Reason: it.Get("reason").Text(), Owner: it.Get("owner").Text(), Until: it.Get("until").Text(),
			Key: fmt.Sprintf("security.audit.waivers[%d]", i),
		}
		switch {
		case w.CheckID == "":
			w.Problem, w.Void = "it names no checkId and has no effect", true
		case w.Reason == "":
			w.Problem, w.Void = "it gives no reason and has no effect", true
		case w.Owner == "":
			w.Problem = "it names no owner"
		case w.Until == "":
			w.Problem = "it has no end (until: YYYY-MM-DD)"
		}
		out = append(out, w)
	}
	for i, it := range n.Get("suppressions").Items() {
		out = append(out, &Waiver{
			CheckID: it.Get("checkId").Text(), TitleIncludes: it.Get("titleIncludes").Text(),
			DetailIncludes: it.Get("detailIncludes").Text(), Reason: it.Get("reason").Text(),
			Key: fmt.Sprintf("security.audit.suppressions[%d]", i), Peer: true,
		})
	}
	return out
}

type override struct {
	severity Severity
	reason   string
}

// readOverrides reads security.audit.severity: {checkId: {severity, reason}}.
// One without a reason has no effect.
func readOverrides(n *Node) map[string]override {
	out := map[string]override{}
	n.Each(func(id string, v *Node) {
		o := override{Severity(v.Get("severity").Text()), v.Get("reason").Text()}
		if o.severity.Rank() > 0 && o.reason != "" {
			out[id] = o
		}
	})
	return out
}

// waive splits findings into those in force and those accepted.
func (s *Subject) waive(all []Finding, checks []Check, over map[string]override) (active, waived []Finding) {
	for _, f := range all {
		if o, ok := over[f.CheckID]; ok && s.Kind == Own && o.severity != f.Severity {
			f.Overridden, f.Severity = f.Severity, o.severity
			f.Detail += "\nSeverity set by security.audit.severity: " + Show(o.reason)
		}
		if w := s.waiverFor(&f, checks); w != nil {
			w.Used++
			f.Suppression = &Suppression{Reason: Show(w.Reason), Owner: Show(w.Owner), Until: Show(w.Until)}
			waived = append(waived, f)
			continue
		}
		active = append(active, f)
	}
	return active, waived
}

func (s *Subject) waiverFor(f *Finding, checks []Check) *Waiver {
	if c, ok := Lookup(checks, f.CheckID); ok && c.Unwaivable {
		return nil
	}
	for _, w := range s.Waivers {
		if !w.Void && !w.Expired(s.Now) && w.matches(f) {
			return w
		}
	}
	return nil
}
