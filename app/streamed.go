package app

// streamed takes secrets out of text on its way to f. What might be the
// beginning of one is held back until flush or until what follows decides.
func (a *App) streamed(f func(string)) (write func(string), flush func()) {
	if f == nil {
		return nil, func() {}
	}
	w := a.redactor.Writer(deltas(f))
	return func(s string) { _, _ = w.Write([]byte(s)) }, func() { _ = w.Flush() }
}

type deltas func(string)

// Write passes text on.
func (d deltas) Write(p []byte) (int, error) {
	if len(p) > 0 {
		d(string(p))
	}
	return len(p), nil
}
