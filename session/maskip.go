package session

import "net/netip"

// MaskIP returns the network of an address, in which one person is one of many: the first 24
// bits of an IPv4 address and the first 48 of an IPv6 address, with zeros for the rest. An IPv4
// address in IPv6 notation counts as IPv4, and a zone is dropped. What is no address, such as a
// list or one with a port, becomes empty: nothing is kept whole by mistake. Use it in
// Config.ClientIP.
func MaskIP(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	addr = addr.Unmap().WithZone("")
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	network, _ := addr.Prefix(bits) // never an error: addr is valid and has that many bits
	return network.Addr().String()
}
