package contentcmd

import (
	"cmp"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/chitin-sh/chitin/external"
	"github.com/chitin-sh/chitin/external/mailtext"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
)

func newWrap(env *cliutil.Env) *cobra.Command {
	var m external.Meta
	var mode string
	var eml, bare bool
	cmd := &cobra.Command{
		Use:   "wrap",
		Short: "Put text from outside behind a border that it cannot forge",
		Long: "Reads standard input and writes it between markers with a fresh random id, with a notice\n" +
			"that it is data. Forged markers and control tokens in it are taken out; bytes that are no\n" +
			"UTF-8 become U+FFFD.\n\n" +
			"Exit codes: 0 wrapped, 1 the input could not be read, 2 usage.",
		Example: "  chitin content wrap --source email --from anna@example.com --subject Hello < mail.txt\n  chitin content wrap --source email --eml < message.eml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if p := (external.Config{Mode: external.Mode(mode)}).Validate(); len(p) > 0 {
				return cliutil.Usage(p[0].Message, "chitin content wrap --mode datamark")
			}
			text, err := readWrapped(env.In, eml, &m)
			if err == nil && strings.IndexByte(text, 0) >= 0 {
				err = checkText(text)
			}
			if err != nil {
				return cliutil.WithHint(err, "chitin content wrap --help")
			}
			opts := []external.Option{external.WithMode(external.Mode(mode)), external.WithoutDetection()}
			if bare {
				opts = append(opts, external.WithoutNotice())
			}
			_, err = io.WriteString(env.Out, shown(external.Wrap(text, m, opts...).Text(), onTerminal(env.Out)))
			return err
		},
	}
	cmd.Flags().StringVar(&m.Source, "source", "external", "where the text comes from: email, webhook, web_fetch, mcp:<server>, …")
	cmd.Flags().StringVar(&m.From, "from", "", "sender")
	cmd.Flags().StringVar(&m.Subject, "subject", "", "subject")
	cmd.Flags().StringVar(&mode, "mode", string(external.ModeMarker), "marker, datamark or encode")
	cmd.Flags().BoolVar(&eml, "eml", false, "read a mail message (MIME) and wrap its text")
	cmd.Flags().BoolVar(&bare, "no-notice", false, "leave the security notice out")
	return cmd
}

// onTerminal reports whether a person looks at what is written to w.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// shown is s as it may be written: on a terminal, nothing in it moves the
// cursor or hides.
func shown(s string, terminal bool) string {
	if !terminal {
		return s
	}
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = cliutil.Plain(lines[i])
	}
	return strings.Join(lines, "\n")
}

// readText reads a text, or the text of a mail.
func readText(in io.Reader, eml bool) (string, error) {
	if !eml {
		return readAll(in)
	}
	var m external.Meta
	return readWrapped(in, true, &m)
}

// readWrapped reads a text; of a mail it also takes sender and subject, where
// none were given.
func readWrapped(in io.Reader, eml bool, m *external.Meta) (string, error) {
	if !eml {
		return readAll(in)
	}
	msg, err := mailtext.Parse(in)
	if err != nil {
		return "", err
	}
	m.From, m.Subject = cmp.Or(m.From, msg.From), cmp.Or(m.Subject, msg.Subject)
	text := msg.Text
	for _, a := range msg.Attachments {
		text += "\n[attachment: " + strconv.Quote(a.Name) + ", " + a.Type + "]"
	}
	return text, nil
}
