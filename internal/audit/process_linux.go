package audit

import (
	"os"
	"strconv"
	"strings"
)

// ProcessName returns the name of a running process, "" if the system does not tell.
// The process chose it.
func ProcessName(pid int) string {
	name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(name), "\n")
}
