//go:build wasip1

// Package abi binds a job to the exports of the contract and to the host's imports, by the canonical ABI.
package abi

import "unsafe"

// arena is where the host puts what it hands over. It is there before it is asked for: an allocation in the middle of lowering may start
// the garbage collector. What does not fit gets memory of its own, and the arena is larger the next time.
var (
	arena    = make([]uint64, 1<<15)
	used     int
	overflow [][]uint64
	wanted   int
)

//go:wasmexport cabi_realloc
func cabiRealloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	words := (int(size) + 7) / 8
	wanted += words
	var at unsafe.Pointer
	if words <= len(arena)-used {
		at = unsafe.Pointer(unsafe.SliceData(arena[used:]))
		used += words
	} else {
		own := make([]uint64, words)
		overflow = append(overflow, own)
		at = unsafe.Pointer(unsafe.SliceData(own))
	}
	if oldSize > 0 {
		copy(unsafe.Slice((*byte)(at), size), unsafe.Slice((*byte)(old), min(oldSize, size)))
	}
	return at
}

// done gives up what the host handed over for the call that ends.
func done() {
	if wanted > len(arena) {
		arena = make([]uint64, wanted+wanted/4)
	}
	used, wanted, overflow = 0, 0, nil
}

// list is a list that the host handed over.
func list[T any](at unsafe.Pointer, length uint32) []T {
	if length == 0 {
		return nil
	}
	return unsafe.Slice((*T)(at), length)
}

// text is a string that the host handed over, copied.
func text(at unsafe.Pointer, length uint32) string {
	return string(list[byte](at, length))
}

// pointer is an address that the host gave.
func pointer(at uint32) unsafe.Pointer { return unsafe.Add(nil, at) }

// address is where a list or string of ours begins, for the host.
func address[T any](at *T) uint32 { return uint32(uintptr(unsafe.Pointer(at))) }
