package proxyprotocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

const (
	maxLine = 107 // bytes of a header of version 1, its end included
	// maxBlock bounds, in bytes, what a header of version 2 has behind its first 16: addresses and what else is told, of which we want nothing.
	maxBlock = 4096

	signature = "\r\n\r\n\x00\r\nQUIT\n"
	prefix    = "PROXY "
	// first is what can be read of either version: the signature of 2, and less than the shortest line of 1.
	first = len(signature)
)

func malformed(why string) error { return fmt.Errorf("%w: %s", ErrHeader, why) }

// Read reads a header, and not a byte behind it. It returns whom it names; an invalid address: nobody.
func Read(r io.Reader) (netip.AddrPort, error) {
	var start [first]byte
	if err := fill(r, start[:]); err != nil {
		return none, err
	}
	switch {
	case string(start[:]) == signature:
		return readBlock(r)
	case strings.HasPrefix(string(start[:]), prefix):
		return readLine(r, start)
	}
	return none, malformed("there is no header where one must be")
}

// fill reads all of p. A connection that ends within has said nothing.
func fill(r io.Reader, p []byte) error {
	_, err := io.ReadFull(r, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("the connection ended before its header did")
	}
	return err //nolint:wrapcheck // the connection's own
}

// readLine reads the rest of a header of version 1: as many bytes at a time as must still come.
func readLine(r io.Reader, start [first]byte) (netip.AddrPort, error) {
	var line [maxLine]byte
	n := copy(line[:], start[:])
	for !strings.HasSuffix(string(line[:n]), "\n") {
		more := least(line[:n])
		if n+more > maxLine {
			return none, malformed("the line doesn't end")
		}
		if err := fill(r, line[n:n+more]); err != nil {
			return none, err
		}
		n += more
	}
	text, ok := strings.CutSuffix(string(line[:n]), "\r\n")
	if !ok || strings.ContainsAny(text, "\r\n") {
		return none, malformed("the line doesn't end with CRLF")
	}
	return parseLine(text)
}

// least returns how many bytes at least a line still has, from what there is of it: "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n". Of one that
// names nobody, or is no header, nothing is known but that it goes on. A line break within makes it malformed, which is found at its end.
func least(line []byte) int {
	const end, port, address = 2, 1, 2 // CRLF, "1", "::"
	text := string(line)
	if !strings.HasPrefix(text, prefix+"TCP") || strings.ContainsAny(text, "\r\n") {
		return 1
	}
	switch strings.Count(text, " ") {
	case 2: // in the client's address
		return 1 + address + 1 + port + 1 + port + end
	case 3: // in ours
		return 1 + port + 1 + port + end
	case 4: // in the client's port
		return 1 + port + end
	case 5: // in ours
		return end
	default:
		return 1
	}
}

func parseLine(text string) (netip.AddrPort, error) {
	parts := strings.Split(text, " ")
	if parts[1] == "UNKNOWN" {
		return none, nil // whatever follows
	}
	const fields = 6
	if len(parts) != fields || parts[1] != "TCP4" && parts[1] != "TCP6" {
		return none, malformed("the line has another form than PROXY TCP4|TCP6 <source> <destination> <port> <port>")
	}
	four := parts[1] == "TCP4"
	client, err := parseAddress(parts[2], four)
	if err != nil {
		return none, err
	}
	if _, err := parseAddress(parts[3], four); err != nil {
		return none, err
	}
	port, err := parsePort(parts[4])
	if err != nil {
		return none, err
	}
	if _, err := parsePort(parts[5]); err != nil {
		return none, err
	}
	return netip.AddrPortFrom(client, port), nil
}

func parseAddress(text string, four bool) (netip.Addr, error) {
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" || address.Is4() != four {
		return netip.Addr{}, malformed("an address isn't one of the family that is named")
	}
	return address.Unmap(), nil
}

func parsePort(text string) (uint16, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || text[0] == '+' || len(text) > 1 && text[0] == '0' {
		return 0, malformed("a port isn't a number from 0 to 65535")
	}
	return uint16(port), nil
}

// What a header of version 2 says in its two bytes behind the signature.
const (
	version2   = 2
	local      = 0 // the balancer's own connection
	proxied    = 1
	overTCP4   = 0x11
	overTCP6   = 0x21
	overNobody = 0x00
)

// readBlock reads a header of version 2 behind its signature.
func readBlock(r io.Reader) (netip.AddrPort, error) {
	var head [4]byte
	if err := fill(r, head[:]); err != nil {
		return none, err
	}
	command, size := head[0]&0x0f, binary.BigEndian.Uint16(head[2:])
	switch {
	case head[0]>>4 != version2:
		return none, malformed("another version than 1 or 2")
	case command != local && command != proxied:
		return none, malformed("another command than LOCAL or PROXY")
	case size > maxBlock:
		return none, malformed("longer than " + strconv.Itoa(maxBlock) + " bytes")
	}
	block := make([]byte, size)
	if err := fill(r, block); err != nil {
		return none, err
	}
	if command == local {
		return none, nil // nothing of the rest has a meaning
	}
	client, rest, err := parseAddresses(head[1], block)
	if err == nil {
		err = checkRest(head, block, len(block)-len(rest))
	}
	if err != nil {
		return none, err
	}
	return client, nil
}

// parseAddresses returns whom a block names, and what is behind the addresses.
func parseAddresses(family byte, block []byte) (client netip.AddrPort, rest []byte, err error) {
	const four, six, ports = 4, 16, 4
	size := 0
	switch family {
	case overTCP4:
		size = four
	case overTCP6:
		size = six
	case overNobody:
		return none, block, nil
	default:
		return none, nil, malformed("another family than TCP over IPv4 or IPv6")
	}
	if len(block) < 2*size+ports {
		return none, nil, malformed("shorter than its addresses")
	}
	address, _ := netip.AddrFromSlice(block[:size])
	client = netip.AddrPortFrom(address.Unmap(), binary.BigEndian.Uint16(block[2*size:]))
	return client, block[2*size+ports:], nil
}

const (
	typeChecksum = 0x03
	tagBytes     = 3 // type and length
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkRest walks over what a block holds behind its addresses, which must fill it, and holds the whole header against its checksum if
// it has one.
func checkRest(head [4]byte, block []byte, at int) error {
	checksum := -1
	for at < len(block) {
		if len(block)-at < tagBytes {
			return malformed("what is behind the addresses doesn't fill the header")
		}
		kind, size := block[at], int(binary.BigEndian.Uint16(block[at+1:]))
		at += tagBytes
		if size > len(block)-at {
			return malformed("what is behind the addresses is longer than the header")
		}
		if kind == typeChecksum {
			if size != crc32.Size || checksum >= 0 {
				return malformed("a checksum of another size, or a second one")
			}
			checksum = at
		}
		at += size
	}
	if checksum < 0 {
		return nil
	}
	told := binary.BigEndian.Uint32(block[checksum:])
	clear(block[checksum : checksum+crc32.Size])
	sum := crc32.Update(crc32.Checksum([]byte(signature), castagnoli), castagnoli, head[:])
	if crc32.Update(sum, castagnoli, block) != told {
		return malformed("the checksum isn't the header's")
	}
	return nil
}
