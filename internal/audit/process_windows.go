package audit

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// ProcessName returns the name of a running process, "" if the system does not tell.
// The process chose it.
func ProcessName(pid int) string {
	all, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return ""
	}
	defer windows.CloseHandle(all)
	entry := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err = windows.Process32First(all, &entry); err == nil; err = windows.Process32Next(all, &entry) {
		if entry.ProcessID == uint32(pid) {
			return windows.UTF16ToString(entry.ExeFile[:])
		}
	}
	return ""
}
