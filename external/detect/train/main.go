// Command train fits the weights of package detect. It reads labelled JSONL
// ({"id","text","label":"injection|benign","source","tier"} a line), adds
// texts of its own making, and writes weights.bin and a report. Runs with the
// same input and flags give the same bytes.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"strings"

	"github.com/chitin-sh/chitin/external/detect"
)

// doc is one labelled text as features.
type doc struct {
	ID, Source, Tier string
	Injection        bool
	own              bool
	weight           float64
	detect.Text
	plain float64 // high rules that fired where attacks are not talked about
	text  string
}

func main() {
	data := flag.String("data", "", "labelled JSONL files, with commas between")
	out := flag.String("out", "", "file to write the weights to")
	report := flag.String("report", "", "file to write the report to; stdout if empty")
	cv := flag.String("cv", "rows,sources", "cross-validations to run first")
	show := flag.Int("show", 0, "print this many mistakes of the cross-validation of each source")
	p := defaults()
	flag.IntVar(&p.epochs, "epochs", p.epochs, "passes over the texts")
	flag.Float64Var(&p.rate, "rate", p.rate, "learning rate")
	flag.Float64Var(&p.l2, "l2", p.l2, "pull of weights to zero")
	flag.Float64Var(&p.drop, "drop", p.drop, "share of features left out at random in training")
	flag.Float64Var(&p.mixed, "mixed", p.mixed, "weight of mixed rows")
	flag.Float64Var(&p.context, "contextual", p.context, "weight of contextual rows")
	flag.Float64Var(&p.own, "own", p.own, "weight of our own texts")
	flag.Float64Var(&p.benign, "benign", p.benign, "weight of harmless rows")
	flag.Float64Var(&p.length, "length", p.length, "log-odds off for each doubling of a text's length")
	flag.Float64Var(&p.hint, "hint", p.hint, "log-odds for a rule that is not high")
	flag.Float64Var(&p.talk, "talk", p.talk, "log-odds off for each doubling of the words about attacks")
	flag.Float64Var(&p.quote, "quote", p.quote, "log-odds off for a rule that fired in a quotation of an article about attacks")
	flag.Float64Var(&p.balance, "balance", p.balance, "how much rows of large sources weigh less: 0 not, 1 so that all sources weigh the same")
	flag.Float64Var(&p.fpr, "fpr", p.fpr, "share of false positives of sources left out that sets the threshold")
	flag.IntVar(&p.runs, "runs", p.runs, "runs that are averaged")
	flag.IntVar(&p.warm, "warm", p.warm, "passes before long attacks are learned")
	flag.Float64Var(&p.plain, "plain", p.plain, "log-odds for a high rule that fired where attacks are not talked about")
	flag.IntVar(&p.carriers, "carriers", p.carriers, "own pages made of several texts")
	flag.IntVar(&p.plants, "plants", p.plants, "own pages with a line planted")
	flag.IntVar(&p.minDocs, "min-docs", p.minDocs, "texts a feature must be in")
	flag.IntVar(&p.minGroups, "min-groups", p.minGroups, "sources a feature must be in")
	flag.Parse()
	docs, err := load(strings.Split(*data, ","), p)
	if err != nil {
		log.Fatal(err)
	}
	balance(docs, p)
	docs = append(docs, ownDocs(p)...)
	w := os.Stdout
	if *report != "" {
		if w, err = os.Create(*report); err != nil {
			log.Fatal(err)
		}
		defer w.Close()
	}
	if err := run(w, docs, p, *cv, *out, *show); err != nil {
		log.Fatal(err)
	}
}

func load(paths []string, p params) (docs []doc, err error) {
	for _, path := range paths {
		if path == "" {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		sc := bufio.NewScanner(f)
		sc.Buffer(nil, 64<<20)
		for n := 1; sc.Scan(); n++ {
			var r struct{ ID, Text, Label, Source, Tier string }
			if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, n, err)
			}
			d := doc{ID: r.ID, Source: r.Source, Tier: r.Tier, Injection: r.Label == "injection", weight: 1, text: r.Text}
			switch {
			case !d.Injection:
				d.weight = p.benign
			case r.Tier == "mixed":
				d.weight = p.mixed
			case r.Tier == "contextual":
				d.weight = p.context
			}
			d.read()
			docs = append(docs, d)
		}
		if err := sc.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return docs, nil
}

// read cuts the text of d.
func (d *doc) read() {
	d.Text = detect.Features(d.text)
	d.plain = d.Summary.Vector()[3]
}

// balance makes rows of large sources weigh less.
func balance(docs []doc, p params) {
	n := map[string]int{}
	for i := range docs {
		n[docs[i].Source]++
	}
	sum, all := 0.0, 0.0
	for i := range docs {
		all += docs[i].weight
		docs[i].weight /= math.Pow(float64(n[docs[i].Source]), p.balance)
		sum += docs[i].weight
	}
	for i := range docs {
		docs[i].weight *= all / sum
	}
}
