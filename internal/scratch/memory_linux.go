package scratch

import "syscall"

// inMemory tells whether a directory lies on tmpfs or ramfs. A tmpfs can be
// swapped out; the documentation says so.
func inMemory(path string) bool {
	const tmpfs, ramfs = 0x01021994, 0x858458f6
	var st syscall.Statfs_t
	if syscall.Statfs(path, &st) != nil {
		return false
	}
	return uint32(st.Type) == tmpfs || uint32(st.Type) == ramfs
}
