package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	splitsFile    = "splits.json"
	instancesFile = "instances.json"
	lockFile      = "lock"
)

// writeAtomically replaces a file so that whoever reads it, now or after a
// power cut, finds the old content or the new one. Without durable it is still
// never half a file, but may be an old one.
func writeAtomically(path string, content []byte, durable bool) (err error) {
	folder := filepath.Dir(path)
	temporary, err := os.CreateTemp(folder, filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = temporary.Close()
			_ = os.Remove(temporary.Name())
		}
	}()
	if _, err = temporary.Write(content); err != nil {
		return err
	}
	if durable {
		if err = temporary.Sync(); err != nil {
			return err
		}
	}
	if err = temporary.Close(); err != nil {
		return err
	}
	if err = os.Rename(temporary.Name(), path); err != nil {
		return err
	}
	if durable {
		return syncFolder(folder)
	}
	return nil
}

// syncFolder makes a rename in it durable (fsync(2), notes).
func syncFolder(folder string) error {
	opened, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer opened.Close()
	return opened.Sync()
}

type splitsDocument struct {
	Splits map[string]json.RawMessage `json:"splits"`
}

// readSplits gives what was saved. A file that is damaged is an error: to go
// on without it would send traffic to releases that nobody chose. Fields that a
// newer gateway wrote are passed over: an older one must be able to take its place.
func readSplits(folder string) (map[string]*split, error) {
	path := filepath.Join(folder, splitsFile)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]*split{}, nil
	}
	if err != nil {
		return nil, err
	}
	var document splitsDocument
	if err := json.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): restore it, or remove it and set the splits again", path, err)
	}
	found := make(map[string]*split, len(document.Splits))
	for name, raw := range document.Splits {
		if found[name], err = decodeSplit(raw, false); err != nil {
			return nil, fmt.Errorf("%s: service %s: %w", path, name, err)
		}
	}
	return found, nil
}

func writeSplits(folder string, splits map[string]*split) error {
	document := splitsDocument{Splits: make(map[string]json.RawMessage, len(splits))}
	for name, one := range splits {
		document.Splits[name] = one.canonical()
	}
	content, err := json.Marshal(document)
	if err != nil {
		return err
	}
	return writeAtomically(filepath.Join(folder, splitsFile), append(content, '\n'), true)
}

// instancesDocument is what a gateway knew at a time.
type instancesDocument struct {
	Time     time.Time             `json:"time"`
	Services map[string][]instance `json:"services"`
}

// readInstances gives the instances known last, for a start while the registry is away. It is a cache: any
// problem with it means that there is none. So does its age: an address may have another owner by then.
func readInstances(folder string, notOlder time.Duration) map[string][]instance {
	var found instancesDocument
	content, err := os.ReadFile(filepath.Join(folder, instancesFile))
	if err != nil || json.Unmarshal(content, &found) != nil {
		return nil
	}
	if age := time.Since(found.Time); age > notOlder || age < -notOlder { // the clock may have been set back
		return nil
	}
	return found.Services
}

func writeInstances(folder string, known map[string][]instance, now time.Time) error {
	content, err := json.Marshal(instancesDocument{now, known})
	if err != nil {
		return err
	}
	return writeAtomically(filepath.Join(folder, instancesFile), append(content, '\n'), false)
}

// lockFolder keeps a second process out: it would write over this one's splits. The lock ends with the process.
func lockFolder(folder string) (*os.File, error) {
	opened, err := os.OpenFile(filepath.Join(folder, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(opened.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = opened.Close()
		return nil, fmt.Errorf("the state folder %s is in use by another gateway (%w)", folder, err)
	}
	return opened, nil
}
