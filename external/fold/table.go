package fold

import _ "embed"

//go:generate go run ./gen -out table.bin

// table is 4352 page numbers (one for each 256 code points), then the pages of
// 256 values: 0 is itself, 0x20–0x7e this ASCII, ≥ 0x80 a line of multi.
//
//go:embed table.bin
var table string

const (
	valDrop  = 1
	valSpace = 2
	valMulti = 0x80
	pages    = 0x110000 >> 8
)

// value is the table's entry for r, which is a valid code point.
func value(r rune) byte {
	return table[pages+int(table[r>>8])<<8+int(r&0xff)]
}

// multi are the folds of more than one character, in the order of gen.
var multi = [...]string{
	"<<", ">>", "ae", "ss", "ij", "oe", "||", "dz", "lj", "nj", "ts", "tc", "fn", "ls", "lz", "bl",
	"lo", "ll", "eo", "ue", "rn", "rs", "lt", "no", "sm", "tel", "tm", "fax", "ii", "iii", "iv", "vi",
	"vii", "viii", "ix", "xi", "xii", "oo", "<<<", ">>>", "pte", "hg", "erg", "ev", "ltd", "hpa", "da", "au",
	"bar", "ov", "pc", "dm", "iu", "pa", "na", "ma", "ka", "kb", "mb", "gb", "cal", "kcal", "pf", "nf",
	"mg", "kg", "hz", "khz", "mhz", "ghz", "thz", "ml", "dl", "kl", "fm", "nm", "mm", "cm", "km", "kpa",
	"mpa", "gpa", "rad", "ps", "ns", "ms", "pv", "nv", "mv", "kv", "pw", "nw", "mw", "kw", "bq", "cc",
	"cd", "db", "gy", "ha", "hp", "in", "kk", "kt", "lm", "ln", "log", "lx", "mil", "mol", "ph", "ppm",
	"pr", "sr", "sv", "wb", "gal", "aa", "ao", "av", "ay", "tf", "uo", "ff", "fi", "fl",
}
