package procs

import "strings"

// Words of process names: easy to say, hard to mix up.
var firstWords = [...]string{
	"amber", "bold", "brisk", "calm", "clear", "cool", "crisp", "deep", "dry", "early",
	"fair", "fast", "firm", "fresh", "gentle", "glad", "gold", "grand", "green", "happy",
	"keen", "kind", "large", "late", "light", "lucky", "mild", "neat", "new", "noble",
	"pale", "plain", "proud", "quick", "quiet", "rapid", "rare", "red", "sharp", "silver",
	"slow", "small", "smart", "soft", "solid", "steady", "sunny", "swift", "tidy", "warm",
}

var secondWords = [...]string{
	"anchor", "basin", "beach", "birch", "bridge", "brook", "canyon", "cedar", "cliff", "cloud",
	"coral", "cove", "creek", "dune", "fern", "field", "fjord", "forest", "garden", "glade",
	"harbor", "hill", "island", "lake", "lark", "maple", "marsh", "meadow", "moss", "oak",
	"orchard", "otter", "pebble", "pine", "pond", "prairie", "reef", "ridge", "river", "robin",
	"shell", "shore", "spring", "stone", "stream", "thicket", "trail", "valley", "wave", "willow",
}

const maxName = 48

// shortName is a command's verb and its first argument that is no option.
func shortName(command string) string {
	words := strings.Fields(command)
	if len(words) == 0 {
		return ""
	}
	name := words[0]
	for _, w := range words[1:] {
		if !strings.HasPrefix(w, "-") {
			name += " " + w
			break
		}
	}
	if r := []rune(name); len(r) > maxName {
		name = string(r[:maxName-1]) + "…"
	}
	return name
}
