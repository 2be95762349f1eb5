package main

import (
	"bytes"
	"io"
	"sync"
)

const maxMirroredBytes = 64 << 10

// tee keeps what is read through it, up to a bound. The transport may still read the body when
// the answer is there already, so both ends lock.
type tee struct {
	io.ReadCloser
	mutex    sync.Mutex
	kept     bytes.Buffer
	expected int64 // -1: unknown
	isOver   bool  // too long
	isEnded  bool  // the end was read
}

func (t *tee) Read(into []byte) (int, error) {
	count, err := t.ReadCloser.Read(into)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if !t.isOver {
		if t.kept.Len()+count > maxMirroredBytes {
			t.isOver = true
			t.kept = bytes.Buffer{}
		} else {
			t.kept.Write(into[:count])
		}
	}
	t.isEnded = t.isEnded || err == io.EOF
	return count, err
}

// whole is the body, if all of it was read and it is not too long.
func (t *tee) whole() ([]byte, bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	isWhole := t.isEnded || (t.expected >= 0 && int64(t.kept.Len()) == t.expected)
	return bytes.Clone(t.kept.Bytes()), isWhole && !t.isOver
}
