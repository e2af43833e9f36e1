package websocket

import (
	"encoding/binary"
	"errors"
)

// Direction says who sends frames: a client masks what it sends, and a service doesn't (RFC 6455, section 5.1).
type Direction bool

// Directions.
const (
	FromClient  Direction = true
	FromService Direction = false
)

// What is wrong with a frame.
var (
	ErrReserved = errors.New("a frame has reserved bits that nobody agreed on")
	ErrOpcode   = errors.New("a frame has an unknown opcode")
	ErrControl  = errors.New("a control frame is fragmented, or longer than 125 bytes")
	ErrMask     = errors.New("a frame is masked that must not be, or isn't though it must be")
	ErrLength   = errors.New("a frame's length is not in its shortest form, or out of range")
	ErrFragment = errors.New("fragments are out of order")
)

// Opcodes (RFC 6455, section 5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

const (
	final       = 0x80
	reserved    = 0x70
	opcodes     = 0x0f
	control     = 0x08
	masked      = 0x80
	length16    = 126
	length64    = 127
	maskBytes   = 4
	mostControl = 125
	longestHead = 2 + 8 + maskBytes
)

// Tracker follows the frames of one direction. The zero value is one from the service, at a boundary.
type Tracker struct {
	direction  Direction
	extended   bool
	head       [longestHead]byte
	had        int    // bytes of head that have come
	left       uint64 // of the payload
	inPayload  bool
	fragmented bool // a message is under way
	closed     bool // a Close frame has begun
}

// NewTracker returns a tracker. extended tells that an extension was agreed on: reserved bits are its own.
func NewTracker(from Direction, extended bool) Tracker {
	return Tracker{direction: from, extended: extended}
}

// AtBoundary tells whether the next byte begins a frame.
func (t *Tracker) AtBoundary() bool { return t.had == 0 && !t.inPayload }

// Closed tells whether a Close frame has begun: behind it no other may come.
func (t *Tracker) Closed() bool { return t.closed }

// Advance takes bytes up to the end of the frame that they continue or begin, and returns how many: all, if it doesn't end in them.
func (t *Tracker) Advance(p []byte) (n int, err error) {
	for n < len(p) && !t.inPayload {
		t.head[t.had] = p[n]
		t.had++
		n++
		need, err := t.need()
		if err != nil {
			return n, err
		}
		if t.had < need {
			continue
		}
		if t.left, err = t.length(); err != nil {
			return n, err
		}
		t.begin()
		if t.left == 0 {
			return n, nil
		}
		t.inPayload = true
	}
	if t.inPayload {
		took := min(uint64(len(p)-n), t.left)
		n += int(took)
		t.left -= took
		t.inPayload = t.left > 0
	}
	return n, nil
}

// begin notes what a frame is whose head is whole.
func (t *Tracker) begin() {
	t.had = 0
	opcode := t.head[0] & opcodes
	if opcode&control == 0 {
		t.fragmented = t.head[0]&final == 0
	}
	t.closed = t.closed || opcode == opClose
}

// need returns how long the frame's head is, as far as that is known, and judges what there is of it.
func (t *Tracker) need() (int, error) {
	if t.had == 1 {
		return 2, t.judgeFirst(t.head[0])
	}
	second := t.head[1]
	if (second&masked != 0) != bool(t.direction) {
		return 0, ErrMask
	}
	size := second &^ masked
	if t.head[0]&control != 0 && size > mostControl {
		return 0, ErrControl
	}
	need := 2
	switch size {
	case length16:
		need += 2
	case length64:
		need += 8
	}
	if second&masked != 0 {
		need += maskBytes
	}
	return need, nil
}

func (t *Tracker) judgeFirst(first byte) error {
	if first&reserved != 0 && (!t.extended || first&control != 0) {
		return ErrReserved
	}
	switch first & opcodes {
	case opContinuation:
		if !t.fragmented {
			return ErrFragment
		}
	case opText, opBinary:
		if t.fragmented {
			return ErrFragment
		}
	case opClose, opPing, opPong:
		if first&final == 0 {
			return ErrControl
		}
	default:
		return ErrOpcode
	}
	return nil
}

// length reads the payload's, of a head that is whole.
func (t *Tracker) length() (uint64, error) {
	switch size := t.head[1] &^ masked; size {
	case length16:
		n := binary.BigEndian.Uint16(t.head[2:])
		if n < length16 {
			return 0, ErrLength
		}
		return uint64(n), nil
	case length64:
		n := binary.BigEndian.Uint64(t.head[2:])
		if n <= 0xffff || n>>63 != 0 {
			return 0, ErrLength
		}
		return n, nil
	default:
		return uint64(size), nil
	}
}
