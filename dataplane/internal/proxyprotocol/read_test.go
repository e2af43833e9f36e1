package proxyprotocol_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sallyport/sallyport/dataplane/internal/proxyprotocol"
	"github.com/sallyport/sallyport/proto/ranges"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// block is a header of version 2.
func block(command, family byte, content string) string {
	head := []byte(signature + string([]byte{0x20 | command, family, 0, 0}))
	binary.BigEndian.PutUint16(head[14:], uint16(len(content)))
	return string(head) + content
}

func tlv(kind byte, value string) string {
	return string([]byte{kind, byte(len(value) >> 8), byte(len(value))}) + value
}

// summed is a header whose last four bytes are made its checksum.
func summed(header string) string {
	b := []byte(header)
	clear(b[len(b)-4:])
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return string(b)
}

var (
	tcp4 = string([]byte{203, 0, 113, 7, 10, 0, 0, 1, 0x1f, 0x90, 0x01, 0xbb})
	tcp6 = "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x07" + strings.Repeat("\x00", 15) + "\x01" + "\x1f\x90\x01\xbb"
)

var taken = map[string]string{ // header → client
	"PROXY TCP4 203.0.113.7 10.0.0.1 8080 443\r\n":               "203.0.113.7:8080",
	"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n":                         "1.1.1.1:1",
	"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n": "255.255.255.255:65535",
	"PROXY TCP6 :: ::1 0 1\r\n":                                  "[::]:0",
	"PROXY TCP6 2001:db8::7 2001:db8::1 8080 443\r\n":            "[2001:db8::7]:8080",
	"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n": "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	"PROXY TCP6 ::ffff:203.0.113.7 ::1 8080 443\r\n":                                                             "203.0.113.7:8080",
	"PROXY UNKNOWN\r\n": "", "PROXY UNKNOWN whatever it says\r\n": "",
	block(1, 0x11, tcp4): "203.0.113.7:8080",
	block(1, 0x21, tcp6): "[2001:db8::7]:8080",
	block(1, 0x11, tcp4+tlv(0x04, "")+tlv(0x20, strings.Repeat("x", 300))): "203.0.113.7:8080",
	summed(block(1, 0x11, tcp4+tlv(0x02, "api.test")+tlv(0x03, "0000"))):   "203.0.113.7:8080",
	block(0, 0x00, ""): "", block(0, 0x11, "anything"): "", block(1, 0x00, ""): "",
}

func TestHeadersNameTheClientAndNothingBehindThemIsRead(t *testing.T) {
	for header, want := range taken {
		rest := strings.NewReader(header + "GET / HTTP/1.1\r\n")
		client, err := proxyprotocol.Read(rest)
		got := ""
		if client.IsValid() {
			got = client.String()
		}
		left, _ := io.ReadAll(rest)
		if err != nil || got != want || string(left) != "GET / HTTP/1.1\r\n" {
			t.Errorf("%q: %q %v, left %q", header, got, err, left)
		}
		if client, err := proxyprotocol.Read(iotest.OneByteReader(strings.NewReader(header))); err != nil || client.IsValid() != (want != "") {
			t.Errorf("%q, byte by byte: %v", header, err)
		}
	}
}

func TestEveryHeaderThatEndsEarlyIsRefused(t *testing.T) {
	for header := range taken {
		for n := range len(header) {
			if _, err := proxyprotocol.Read(strings.NewReader(header[:n])); !errors.Is(err, proxyprotocol.ErrHeader) {
				t.Fatalf("%q: %v", header[:n], err)
			}
		}
	}
}

func TestMalformedHeadersAreRefused(t *testing.T) {
	long := func(n int) string {
		return "PROXY UNKNOWN " + strings.Repeat("x", n-len("PROXY UNKNOWN \r\n")) + "\r\n"
	}
	if _, err := proxyprotocol.Read(strings.NewReader(long(107))); err != nil {
		t.Errorf("the longest line: %v", err)
	}
	wrong := []byte(summed(block(1, 0x11, tcp4+tlv(0x03, "0000"))))
	wrong[20]++
	for _, header := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n", "PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
		"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n\r\n\r\n\r\n",
		"PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n", "PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n", "PROXY TCP4 ::1 ::1 1 1\r\n\r\n\r\n\r\n\r\n\r\n",
		"PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", "PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n", "PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n",
		"PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 -1 1\r\n",
		"PROXY TCP4 1.1.1.1 1.1.1.1 1 99999\r\n", "PROXY TCP4 1.1.1.1 a.b 1 1\r\nxxxxx", "PROXY UNKNOWN\rX\r\n", "PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n",
		"PROXY\tTCP4 1.1.1.1 1.1.1.1 1 1\r\n", "PROXY TCP4\r\n1.1.1.1 1.1.1.1 1 1\r\n", long(108), "PROXY " + strings.Repeat("x", 200),
		"\r\n\r\n\x00\r\nQUIT\n\x11\x11\x00\x0c" + tcp4, "\r\n\r\n\x00\r\nQUIT\n\x31\x11\x00\x0c" + tcp4, // versions
		block(2, 0x11, tcp4), block(15, 0x11, tcp4), // commands
		block(1, 0x12, tcp4), block(1, 0x31, strings.Repeat("x", 216)), block(1, 0x01, tcp4), block(1, 0x41, tcp4), // families
		block(1, 0x11, tcp4[:11]), block(1, 0x21, tcp4), block(1, 0x11, ""),
		block(1, 0x11, tcp4+"\x04"), block(1, 0x11, tcp4+"\x04\x00\x01"), block(1, 0x11, tcp4+tlv(0x20, strings.Repeat("x", 5000))),
		block(0, 0x00, strings.Repeat("x", 4097)),
		string(wrong), block(1, 0x11, tcp4+tlv(0x03, "000")), summed(block(1, 0x11, tcp4+tlv(0x03, "0000")+tlv(0x03, "0000"))),
	} {
		if client, err := proxyprotocol.Read(strings.NewReader(header)); !errors.Is(err, proxyprotocol.ErrHeader) || client.IsValid() {
			t.Errorf("%q: %v %v", header, client, err)
		}
	}
}

// counting counts reads: each is a system call.
type counting struct {
	io.Reader

	reads int
}

func (c *counting) Read(p []byte) (int, error) {
	c.reads++
	return c.Reader.Read(p)
}

func TestALineTakesFewReads(t *testing.T) {
	r := &counting{Reader: strings.NewReader("PROXY TCP4 203.0.113.157 192.168.100.101 51234 443\r\n")}
	if _, err := proxyprotocol.Read(r); err != nil || r.reads > 12 {
		t.Errorf("%d reads, %v", r.reads, err)
	}
}

func FuzzRead(f *testing.F) {
	for header := range taken {
		f.Add([]byte(header + "GET /"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		client, err := proxyprotocol.Read(r)
		if err != nil {
			if client.IsValid() || !errors.Is(err, proxyprotocol.ErrHeader) {
				t.Fatalf("%v with %v", client, err)
			}
			return
		}
		header := data[:len(data)-r.Len()]
		again, err := proxyprotocol.Read(bytes.NewReader(header)) // what was taken is a header by itself
		if err != nil || again != client || len(header) > 16+4096 {
			t.Fatalf("%q: %v, then %v %v", header, client, again, err)
		}
		if client.IsValid() && client.Addr().Is4In6() {
			t.Fatalf("%v isn't unmapped", client)
		}
	})
}

// from is a connection from an address, which says something.
type from struct {
	net.Conn

	peer string
	says io.Reader
}

func (f from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(f.peer))
}

func (f from) Read(p []byte) (int, error) { return f.says.Read(p) }

func TestHeadersAreDemandedFromListedAddressesAndReadFromNoOthers(t *testing.T) {
	listed := ranges.NewSet([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")})
	gate := proxyprotocol.NewGate(func() ranges.Set { return listed })
	const header, request = "PROXY TCP4 203.0.113.7 10.0.0.1 8080 443\r\n", "GET / HTTP/1.1\r\n\r\n"
	for _, c := range []struct{ peer, says, client, left string }{
		{"10.1.2.3:99", header + request, "203.0.113.7:8080", request},
		{"[::ffff:10.1.2.3]:99", header + request, "203.0.113.7:8080", request},
		{"[fd00::1]:99", block(1, 0x21, tcp6) + request, "[2001:db8::7]:8080", request},
		{"10.1.2.3:99", "PROXY UNKNOWN\r\n" + request, "10.1.2.3:99", request},
		{"10.1.2.3:99", block(0, 0, "") + request, "10.1.2.3:99", request},
		{"10.1.2.3:99", request, "", ""},
		{"192.0.2.1:99", header + request, "192.0.2.1:99", header + request}, // a header that nobody asked for is no header
		{"192.0.2.1:99", request, "192.0.2.1:99", request},
	} {
		conn, err := gate.Introduce(from{peer: c.peer, says: strings.NewReader(c.says)})
		if c.client == "" {
			if !errors.Is(err, proxyprotocol.ErrHeader) || conn != nil {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		if err != nil || conn.RemoteAddr().String() != c.client {
			t.Errorf("%+v: %v %v", c, conn, err)
			continue
		}
		if left, _ := io.ReadAll(conn); string(left) != c.left {
			t.Errorf("%+v: left %q", c, left)
		}
		if named, ok := conn.(*proxyprotocol.Conn); ok && named.NetConn().RemoteAddr().String() == c.client {
			t.Errorf("%+v: the connection itself isn't the balancer's", c)
		}
	}
	if s := gate.Stats(); s != (proxyprotocol.Stats{Named: 3, Unnamed: 2, Refused: 1}) {
		t.Errorf("counted %+v", s)
	}
}

func TestWithoutListedAddressesNothingIsRead(t *testing.T) {
	gate := proxyprotocol.NewGate(func() ranges.Set { return ranges.Set{} })
	conn := from{peer: "10.1.2.3:99", says: iotest.ErrReader(errors.New("it was read"))}
	if got, err := gate.Introduce(conn); err != nil || got != net.Conn(conn) {
		t.Errorf("%v %v", got, err)
	}
}
