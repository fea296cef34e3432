package swar

import "testing"

func TestLoad8(t *testing.T) {
	if v := Load8("x\x01\x02\x03\x04\x05\x06\x07\xff", 1); v != 0xff07060504030201 {
		t.Errorf("%#x", v)
	}
}
