package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// DirName is the journal's folder in a state directory.
const DirName = "journal"

const (
	headName      = "head"
	segmentSuffix = ".jsonl"
	// maxLine is above any record that Entry can produce.
	maxLine = 1 << 20
)

func segmentName(first uint64) string { return fmt.Sprintf("%016d%s", first, segmentSuffix) }

// segments lists the journal's files, oldest first.
func segments(dir string) ([]string, error) {
	des, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var names []string
	for _, de := range des {
		if strings.HasSuffix(de.Name(), segmentSuffix) && de.Type().IsRegular() {
			names = append(names, de.Name())
		}
	}
	sort.Strings(names)
	return names, nil
}

// lastRecord reads the last whole line of f before its first zero byte, or nil
// when there is none, and the offset at which the whole lines end.
func lastRecord(f *os.File) (*Record, int64, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	from := max(0, st.Size()-2*maxLine)
	b := make([]byte, st.Size()-from)
	if _, err := f.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	if zero := bytes.IndexByte(b, 0); zero >= 0 {
		b = b[:zero] // room that was reserved; what is behind it never reached the disk in order
	}
	nl := bytes.LastIndexByte(b, '\n')
	if nl < 0 {
		if from > 0 {
			return nil, 0, errors.New("its last line has no end; run chitin journal verify")
		}
		return nil, 0, nil
	}
	line := b[bytes.LastIndexByte(b[:nl], '\n')+1 : nl]
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, 0, fmt.Errorf("its last record is damaged (%w); run chitin journal verify", err)
	}
	return &r, from + int64(nl) + 1, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func readHead(dir string) (seq uint64, hash string, err error) {
	b, err := os.ReadFile(filepath.Join(dir, headName))
	if errors.Is(err, os.ErrNotExist) || (err == nil && len(b) == 0) {
		return 0, genesis, nil
	}
	if err != nil {
		return 0, "", err
	}
	num, hash, ok := strings.Cut(strings.TrimSpace(string(b)), " ")
	seq, perr := strconv.ParseUint(num, 10, 64)
	if !ok || perr != nil || len(hash) != len(genesis) {
		return 0, "", errors.New("journal: the head file is damaged")
	}
	return seq, hash, nil
}
