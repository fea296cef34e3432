package scan

// common has a bit for each pair of letters that is frequent in words of
// English and of source code: row a, bit b. Nineteen of twenty pairs in words
// are among these 247 of 676; in random letters it is about one of three.
var common = [26]uint32{
	0x13ebd6e, 0x1124911, 0x01a4d95, 0x0164919, 0x0efb87d, 0x01e4931, 0x0166190, 0x0084111, 0x2aef87f,
	0x0000000, 0x0040111, 0x11c4919, 0x014d113, 0x03c6d7d, 0x07efd6f, 0x11ec911, 0x0100000, 0x13e757d,
	0x11cc995, 0x11ec9b5, 0x00eb977, 0x0000111, 0x0024191, 0x0088010, 0x00e8800, 0x0000010,
}

const (
	pairCommon   = -0.9 // a frequent pair speaks for a word
	pairRare     = 2.2  // a rare one against it
	shortRun     = 0.6  // one or two letters alone
	digitChange  = 0.8  // between a letter and a digit
	symbolInside = 0.8  // punctuation that names do not use
)

// randomness says how little a text looks as if a person had named it: below
// zero for words, 8 and more for a key of 16 random characters.
func randomness(v []byte) float64 {
	var score float64
	for i := 0; i < len(v); {
		c := v[i]
		switch {
		case isLetter(c):
			j := i + 1
			for j < len(v) && isLetter(v[j]) && !(isUpper(v[j]) && isLower(v[j-1])) {
				// "HTTPServer" breaks before the S of Server.
				if isUpper(v[j]) && j+1 < len(v) && isLower(v[j+1]) && j > i+1 {
					break
				}
				j++
			}
			score += wordScore(v[i:j])
			if j < len(v) && isDigit(v[j]) {
				score += digitChange
			}
			i = j
		case isDigit(c):
			if i+1 < len(v) && isLetter(v[i+1]) {
				score += digitChange
			}
			i++
		default:
			if c != '-' && c != '_' && c != '.' && c != '/' && c != ':' && c != ' ' && c != ',' && c != '@' {
				score += symbolInside
			}
			i++
		}
	}
	return score
}

// wordScore judges one run of letters.
func wordScore(w []byte) float64 {
	if len(w) < 3 {
		return shortRun
	}
	var score float64
	for i := 1; i < len(w); i++ {
		if common[w[i-1]|0x20-'a']>>(w[i]|0x20-'a')&1 == 1 {
			score += pairCommon
		} else {
			score += pairRare
		}
	}
	return max(score, -3)
}

func isLower(c byte) bool  { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool  { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return isLower(c | 0x20) }
func isAlnum(c byte) bool  { return isLetter(c) || isDigit(c) }
func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
func isHex(c byte) bool    { return isDigit(c) || ('a' <= c|0x20 && c|0x20 <= 'f') }

func isWord(c byte) bool { return isAlnum(c) || c == '_' }

// isToken reports whether c can be part of a token without separators.
func isToken(c byte) bool { return isWord(c) || c == '-' || c == '.' }
