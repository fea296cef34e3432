package fold

// Joined takes the blank or sign out of rows of lone letters, as in "i g n o r e" or
// "i.g.n.o.r.e". Two blanks in a row stay, as one.
func Joined(s string) (t Text) {
	t.Joined(s)
	return t
}

// Joined is the function Joined, in place.
func (t *Text) Joined(s string) { t.fold(s, joinStep, &joinPlain) }

// joinPlain are the bytes that Joined never takes out.
var joinPlain = func() (k plain) {
	for i := range k {
		k[i] = 1
	}
	for _, c := range " .-_*" {
		k[c] = 0
	}
	return k
}()

func joinStep(buf []byte, s string, i int) ([]byte, int) {
	if joinPlain[s[i]] == 0 && alone(s, i-1) && alone(s, i+1) {
		return buf, 1
	}
	return append(buf, s[i]), 1
}

// alone reports whether the byte at i is a letter or digit between two that
// are not.
func alone(s string, i int) bool {
	if i < 0 || i >= len(s) || !isAlnum(s[i]) {
		return false
	}
	return (i == 0 || !isAlnum(s[i-1])) && (i+1 == len(s) || !isAlnum(s[i+1]))
}
