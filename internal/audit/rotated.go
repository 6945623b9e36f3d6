package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rotated is a file that the log was moved to. Its name says which lines it has; the
// numbers, not the time, give the order.
type rotated struct {
	name        string
	first, last uint64
}

const rotatedTime = "20060102T150405Z"

// path returns the path of a file rotated now, such as audit-20260601T101500Z-1-1234.jsonl
// with the numbers in 12 digits.
func (r rotated) path(log string, now time.Time) string {
	stem, extension := splitName(log)
	return fmt.Sprintf("%s-%s-%012d-%012d%s", stem, now.UTC().Format(rotatedTime), r.first, r.last, extension)
}

func splitName(log string) (stem, extension string) {
	extension = filepath.Ext(log)
	return strings.TrimSuffix(log, extension), extension
}

// parseRotated reads the name of a file in the log's directory.
func parseRotated(log, name string) (rotated, bool) {
	stem, extension := splitName(filepath.Base(log))
	middle, ok := strings.CutPrefix(name, stem+"-")
	middle, isLog := strings.CutSuffix(middle, extension)
	parts := strings.Split(middle, "-")
	if !ok || !isLog || len(parts) != 3 {
		return rotated{}, false
	}
	_, err := time.Parse(rotatedTime, parts[0])
	first, errFirst := strconv.ParseUint(parts[1], 10, 64)
	last, errLast := strconv.ParseUint(parts[2], 10, 64)
	if err != nil || errFirst != nil || errLast != nil {
		return rotated{}, false
	}
	return rotated{name: filepath.Join(filepath.Dir(log), name), first: first, last: last}, true
}

// rotatedFiles returns the rotated files of a log, the oldest first.
func rotatedFiles(log string) ([]rotated, error) {
	entries, err := os.ReadDir(filepath.Dir(log))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var files []rotated
	for _, entry := range entries {
		if r, ok := parseRotated(log, entry.Name()); ok {
			files = append(files, r)
		}
	}
	slices.SortFunc(files, func(a, b rotated) int {
		return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.first, b.first), strings.Compare(a.name, b.name))
	})
	return files, nil
}
