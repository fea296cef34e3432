package scan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// MaxFile is the most of one file that is scanned, in bytes.
const MaxFile = 64 << 20

// File is one scanned file. Data is valid during the call only.
type File struct {
	Path     string
	Data     []byte
	Findings []Finding
	Err      error // the file could not be read; it has no findings
}

// skipDir are directories without anything that a person wrote.
func skipDir(name string) bool { return name == ".git" || name == ".hg" || name == ".svn" }

// Tree scans the files below the roots, on every processor, and calls report
// for each that has findings, could not be read, or that want asks for.
// Symbolic links, devices and binary files are left out. Calls of report do
// not overlap and come in no order.
func (e *Engine) Tree(ctx context.Context, roots []string, want func(path string) bool, report func(File)) (files int, err error) {
	paths := make(chan string, 256)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			var buf []byte
			for path := range paths {
				f := File{Path: path}
				buf, f.Err = readInto(buf, path)
				if f.Err == nil && isBinary(buf) {
					continue
				}
				if f.Err == nil {
					f.Data = buf
					f.Findings = e.Bytes(buf)
				}
				mu.Lock()
				files++
				if len(f.Findings) > 0 || f.Err != nil || want != nil && want(path) {
					report(f)
				}
				mu.Unlock()
			}
		})
	}
	err = walkAll(ctx, roots, paths)
	close(paths)
	wg.Wait()
	return files, err
}

// walkAll sends every regular file below the roots.
func walkAll(ctx context.Context, roots []string, paths chan<- string) error {
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				if path == root {
					return err
				}
				return nil
			}
			if d.IsDir() {
				if path != root && skipDir(d.Name()) {
					return fs.SkipDir
				}
				return nil
			}
			if !d.Type().IsRegular() && !(path == root && isRegular(path)) {
				return nil
			}
			paths <- path
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func isRegular(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// readInto reads a file into a buffer that it grows when needed.
func readInto(buf []byte, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return buf[:0], unwrap(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return buf[:0], unwrap(err)
	}
	size := min(st.Size(), MaxFile)
	if int64(cap(buf)) < size {
		buf = make([]byte, size+size/8)
	}
	n, err := io.ReadFull(f, buf[:size])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return buf[:0], unwrap(err)
	}
	return buf[:n], nil
}

func unwrap(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// isBinary reports a file that is not text by its first 8 KiB.
func isBinary(b []byte) bool { return bytes.IndexByte(b[:min(len(b), 8<<10)], 0) >= 0 }
