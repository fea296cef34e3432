//go:build race

package toolpolicy_test

// raceFactor relaxes the time bounds under the race detector.
const raceFactor = 20
