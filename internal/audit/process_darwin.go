package audit

import "golang.org/x/sys/unix"

// ProcessName returns the name of a running process, "" if the system does not tell.
// The process chose it.
func ProcessName(pid int) string {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return ""
	}
	return unix.ByteSliceToString(info.Proc.P_comm[:])
}
