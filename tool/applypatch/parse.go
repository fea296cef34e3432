package applypatch

import (
	"fmt"
	"strings"

	"github.com/chitin-sh/chitin/tool"
)

const (
	markBegin  = "*** Begin Patch"
	markEnd    = "*** End Patch"
	markAdd    = "*** Add File: "
	markDelete = "*** Delete File: "
	markUpdate = "*** Update File: "
	markMove   = "*** Move to: "
	markEOF    = "*** End of File"

	maxOps   = 1000
	maxInput = 32 << 20
)

// Op is one file operation of a patch.
type Op struct {
	Kind   byte // 'A' add, 'M' update, 'D' delete
	Path   string
	To     string // new path of an update that moves
	Text   string // content of an added file
	Chunks []Chunk
}

// Chunk is one place of an update: lines to keep, remove and add.
type Chunk struct {
	Anchor string // a line to look for first; may be empty
	Lines  []Line
	AtEnd  bool // the place is the end of the file
}

// Line is one line of a chunk; Kind is ' ', '-' or '+'.
type Line struct {
	Kind byte
	Text string
}

// Parse reads a patch. Errors name the line and are fit for the caller.
func Parse(input string) ([]Op, error) {
	if len(input) > maxInput {
		return nil, tool.Input("The patch is too large.")
	}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(input, "\r\n", "\n")), "\n")
	lines = unwrap(lines)
	if strings.TrimSpace(lines[0]) != markBegin {
		return nil, tool.Input("The first line of the patch must be '" + markBegin + "'")
	}
	if len(lines) < 2 || strings.TrimSpace(lines[len(lines)-1]) != markEnd {
		return nil, tool.Input("The last line of the patch must be '" + markEnd + "'")
	}
	p := parser{lines: lines[:len(lines)-1], at: 1}
	var ops []Op
	for p.at < len(p.lines) {
		op, err := p.op()
		if err != nil {
			return nil, err
		}
		if ops = append(ops, op); len(ops) > maxOps {
			return nil, tool.Input(fmt.Sprintf("The patch has more than %d file operations.", maxOps))
		}
	}
	if len(ops) == 0 {
		return nil, tool.Input("No files were modified: the patch has no file operations.")
	}
	return ops, nil
}

// unwrap drops a shell here-document that models like to put around a patch.
func unwrap(lines []string) []string {
	first, last := strings.TrimSpace(lines[0]), strings.TrimSpace(lines[len(lines)-1])
	if len(lines) < 4 {
		return lines
	}
	switch first {
	case "<<EOF", "<<'EOF'", `<<"EOF"`:
		if last == "EOF" {
			return lines[1 : len(lines)-1]
		}
	}
	return lines
}

type parser struct {
	lines []string
	at    int
}

func (p *parser) fail(text string) error {
	return tool.Input(fmt.Sprintf("Invalid patch hunk on line %d: %s", p.at+1, text))
}

func (p *parser) op() (Op, error) {
	line := strings.TrimRight(p.lines[p.at], " \t")
	switch {
	case strings.HasPrefix(line, markAdd):
		return p.add(line[len(markAdd):])
	case strings.HasPrefix(line, markDelete):
		op := Op{Kind: 'D', Path: strings.TrimSpace(line[len(markDelete):])}
		if op.Path == "" {
			return op, p.fail("the path is missing")
		}
		p.at++
		return op, nil
	case strings.HasPrefix(line, markUpdate):
		return p.update(line[len(markUpdate):])
	}
	return Op{}, p.fail(fmt.Sprintf("'%s' is not a valid hunk header. Valid hunk headers: '*** Add File: {path}', '*** Delete File: {path}', '*** Update File: {path}'", line))
}

func (p *parser) add(path string) (Op, error) {
	op := Op{Kind: 'A', Path: strings.TrimSpace(path)}
	if op.Path == "" {
		return op, p.fail("the path is missing")
	}
	var b strings.Builder
	for p.at++; p.at < len(p.lines) && !isHeader(p.lines[p.at]); p.at++ {
		line := p.lines[p.at]
		if !strings.HasPrefix(line, "+") {
			return op, p.fail("every line of an added file begins with '+'")
		}
		b.WriteString(line[1:])
		b.WriteByte('\n')
	}
	op.Text = b.String()
	return op, nil
}

// isHeader reports whether a line begins the next operation.
func isHeader(line string) bool {
	return strings.HasPrefix(line, markAdd) || strings.HasPrefix(line, markDelete) || strings.HasPrefix(line, markUpdate)
}

func (p *parser) update(path string) (Op, error) {
	op := Op{Kind: 'M', Path: strings.TrimSpace(path)}
	if op.Path == "" {
		return op, p.fail("the path is missing")
	}
	p.at++
	if p.at < len(p.lines) && strings.HasPrefix(p.lines[p.at], markMove) {
		if op.To = strings.TrimSpace(p.lines[p.at][len(markMove):]); op.To == "" {
			return op, p.fail("the path is missing")
		}
		p.at++
	}
	for p.at < len(p.lines) && !isHeader(p.lines[p.at]) {
		if strings.TrimSpace(p.lines[p.at]) == "" {
			p.at++ // blank lines between chunks mean nothing
			continue
		}
		c, err := p.chunk(len(op.Chunks) == 0)
		if err != nil {
			return op, err
		}
		op.Chunks = append(op.Chunks, c)
	}
	if len(op.Chunks) == 0 && op.To == "" {
		return op, p.fail("update of '" + op.Path + "' has no changes")
	}
	return op, nil
}

// chunk reads one place; only the first may leave its @@ line out.
func (p *parser) chunk(first bool) (Chunk, error) {
	var c Chunk
	line := p.lines[p.at]
	switch {
	case strings.TrimRight(line, " ") == "@@":
		p.at++
	case strings.HasPrefix(line, "@@ "):
		c.Anchor = strings.TrimSuffix(strings.TrimSpace(line[3:]), " @@")
		p.at++
	case !first:
		return c, p.fail("a further chunk begins with '@@'")
	}
	for ; p.at < len(p.lines); p.at++ {
		line := p.lines[p.at]
		if strings.TrimRight(line, " ") == markEOF {
			c.AtEnd = true
			p.at++
			break
		}
		if isHeader(line) || strings.HasPrefix(line, "@@") {
			break
		}
		switch {
		case line == "":
			c.Lines = append(c.Lines, Line{Kind: ' '})
		case line[0] == ' ' || line[0] == '-' || line[0] == '+':
			c.Lines = append(c.Lines, Line{Kind: line[0], Text: line[1:]})
		default:
			return c, p.fail(fmt.Sprintf("unexpected line '%s'; lines begin with ' ', '+' or '-'", line))
		}
	}
	if len(c.Lines) == 0 {
		return c, p.fail("the chunk has no lines")
	}
	return c, nil
}
