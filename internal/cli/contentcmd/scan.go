package contentcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/external/detect"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
)

// maxInput is the size in bytes that one text may have.
const maxInput = 256 << 20

type scanFlags struct {
	jsonl, eml, json bool
	fail             bool
}

func newScan(env *cliutil.Env) *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "scan [FILE…]",
		Short: "Say whether a text tries to give orders to its reader",
		Long: "Reads files, or standard input without any or for -, and says for each whether it holds\n" +
			"instructions meant for a model: overrides, role changes, forged turns, exfiltration.\n" +
			"With --jsonl it reads one {\"id\",\"text\"} a line and answers each with one line\n" +
			"{\"id\",\"flagged\",\"score\",\"families\",\"spans\"}, in order; spans are bytes of the text. A line\n" +
			"that is no row is answered with {\"id\":null,\"line\",\"error\"}, and the rest is scanned.\n\n" +
			"Exit codes: 0 scanned, 1 a file or line could not be read, 2 usage; with --fail, 3 if any\n" +
			"was flagged.",
		Example: "  chitin content scan page.html\n  chitin content scan --eml message.eml\n  chitin content scan --jsonl < rows.jsonl",
		RunE: func(_ *cobra.Command, args []string) error {
			if f.jsonl && f.eml {
				return cliutil.Usage("--jsonl and --eml do not go together", "chitin content scan --eml message.eml")
			}
			return f.run(env, args)
		},
	}
	cmd.Flags().BoolVar(&f.jsonl, "jsonl", false, `read one {"id","text"} a line and answer with one line each`)
	cmd.Flags().BoolVar(&f.eml, "eml", false, "read mail messages (MIME) and scan their text")
	cmd.Flags().BoolVar(&f.json, "json", false, "answer in JSON, one object a file")
	cmd.Flags().BoolVar(&f.fail, "fail", false, "exit with 3 if anything was flagged")
	return cmd
}

func (f scanFlags) run(env *cliutil.Env, args []string) error {
	if len(args) == 0 {
		args = []string{"-"}
	}
	flagged := false
	for _, name := range args {
		hit, err := f.one(env, name)
		if err != nil {
			return err
		}
		flagged = flagged || hit
	}
	if flagged && f.fail {
		return cliutil.Exit(cliutil.ExitFound)
	}
	return nil
}

// one scans one file, or standard input for "-".
func (f scanFlags) one(env *cliutil.Env, name string) (bool, error) {
	in := env.In
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return false, cliutil.WithHint(err, "name a file that can be read, or - for standard input")
		}
		defer file.Close()
		in = file
	}
	if f.jsonl {
		return scanLines(in, env.Out, env.Err, detect.Default())
	}
	text, err := readText(in, f.eml)
	if err == nil {
		err = checkText(text)
	}
	if err != nil {
		return false, cliutil.WithHint(fmt.Errorf("%s: %w", quote(name), err), "chitin content scan --help")
	}
	r := detect.Default().Scan(text)
	if f.json {
		id, err := json.Marshal(name)
		if err != nil {
			return false, err
		}
		_, err = env.Out.Write(append(appendReport(nil, string(id), r), '\n'))
		return r.Flagged, err
	}
	return r.Flagged, printReport(env.Out, name, text, r)
}

// printReport writes a report for people. What is quoted from the text is
// escaped: nothing of it reaches the terminal as it is.
func printReport(w io.Writer, name, text string, r detect.Report) error {
	var b strings.Builder
	word := "clean"
	if r.Flagged {
		word = "FLAGGED"
	}
	fmt.Fprintf(&b, "%s: %s (score %.3f)\n", quote(name), word, r.Score)
	for _, s := range r.Spans {
		fmt.Fprintf(&b, "  %d-%d  %-6s  %-20s  %-20s  %s\n", s.Start, s.End, s.Severity, s.Family, s.Rule, excerpt(text[s.Start:s.End]))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// excerpt is up to 60 bytes of s, escaped.
func excerpt(s string) string {
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:57], "") + "..."
	}
	return strconv.QuoteToASCII(s)
}

// quote escapes a name if it holds anything but plain characters.
func quote(s string) string {
	if q := strconv.QuoteToASCII(s); q != `"`+s+`"` {
		return q
	}
	return s
}

var (
	errTooLong = errors.New("more than 256 MiB")
	errNotUTF8 = errors.New("not UTF-8")
)

// checkText says what is wrong with bytes that are no text.
func checkText(s string) error {
	if n := strings.IndexByte(s, 0); n >= 0 {
		return fmt.Errorf("no text: a zero byte at %d; convert UTF-16 to UTF-8, and mail with --eml", n)
	}
	if utf8.ValidString(s) {
		return nil
	}
	n := 0
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return fmt.Errorf("%w at byte %d; convert it first, as with iconv -f latin1 -t utf-8", errNotUTF8, n)
}

// readAll reads at most maxInput bytes.
func readAll(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err == nil && len(b) > maxInput {
		err = errTooLong
	}
	return string(b), err
}
