package render

import (
	"encoding/json"
	"io"

	"github.com/chitin-sh/chitin/audit"
)

// OCSF writes one Compliance Finding (class 2003, version 1.3) a line.
func OCSF(w io.Writer, r *audit.Report, o Options) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	write := func(f audit.Finding, waived bool) error {
		id, name := severityID(f.Severity)
		status, statusID := "Fail", 3
		if f.Severity == audit.Info {
			status, statusID = "Warning", 2
		}
		ev := obj{
			"category_uid": 2, "category_name": "Findings", "class_uid": 2003, "class_name": "Compliance Finding",
			"activity_id": 1, "activity_name": "Create", "type_uid": 200301, "time": r.TS,
			"severity_id": id, "severity": name, "message": f.Title,
			"metadata":     obj{"version": "1.3.0", "product": obj{"name": "chitin", "vendor_name": "chitin", "version": o.Version}},
			"finding_info": obj{"uid": f.CheckID + "#" + Fingerprint(f), "title": f.Title, "desc": f.Detail, "types": list{string(f.Layer)}},
			"compliance":   obj{"control": f.CheckID, "standards": refs(f), "status": status, "status_id": statusID},
		}
		if f.Remediation != "" {
			ev["remediation"] = obj{"desc": f.Remediation}
		}
		if f.Location != nil {
			ev["resources"] = list{obj{"type": "file", "name": f.Location.File, "uid": place(f.Location)}}
		}
		if waived {
			ev["status"], ev["status_id"], ev["comment"] = "Suppressed", 3, reason(f.Suppression)
		} else {
			ev["status"], ev["status_id"] = "New", 1
		}
		return enc.Encode(ev)
	}
	for _, f := range r.Findings {
		if err := write(f, false); err != nil {
			return err
		}
	}
	for _, f := range r.SuppressedFindings {
		if err := write(f, true); err != nil {
			return err
		}
	}
	return nil
}

func refs(f audit.Finding) list {
	out := list{}
	for _, r := range f.Refs {
		out = append(out, r)
	}
	if len(out) == 0 {
		out = append(out, "chitin")
	}
	return out
}

func severityID(s audit.Severity) (int, string) {
	switch s {
	case audit.Critical:
		return 5, "Critical"
	case audit.Warn:
		return 3, "Medium"
	}
	return 1, "Informational"
}
