package toolpolicy

import "slices"

// MayStand reports whether one yes over ACP may cover the same call again: only
// for tools that read, and for none of those that always ask there.
func MayStand(tool string) bool {
	in := func(list []string) bool {
		return slices.ContainsFunc(namesOf(tool), func(n string) bool { return slices.Contains(list, n) })
	}
	return in(readers) && !in(acpAsks)
}

// OwnerOnly reports whether a tool, under any of its names, is for owners only.
func OwnerOnly(tool string) bool {
	return slices.ContainsFunc(namesOf(tool), func(n string) bool { return slices.Contains(ownerOnly, n) })
}
