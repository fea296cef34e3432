package redact

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

const (
	cleanSlots = 512 // power of two
	maxClean   = 512 // bytes of a text that is remembered
)

// cleanTexts remembers short texts that hold no secret: names of tools,
// sessions and rules come by with every call, and the same answers often. It belongs to one table, so new
// values forget everything; a newer text takes the slot of an older one. Texts
// with a secret in them are never kept.
type cleanTexts struct {
	seed  maphash.Seed
	slots [cleanSlots]atomic.Pointer[string]
}

func (c *cleanTexts) slot(s string) *atomic.Pointer[string] {
	return &c.slots[maphash.String(c.seed, s)&(cleanSlots-1)]
}

func (c *cleanTexts) has(s string) bool {
	if len(s) > maxClean {
		return false
	}
	known := c.slot(s).Load()
	return known != nil && *known == s
}

func (c *cleanTexts) add(s string) {
	if len(s) > maxClean {
		return
	}
	s = strings.Clone(s) // it may be a part of a whole request
	c.slot(s).Store(&s)
}
