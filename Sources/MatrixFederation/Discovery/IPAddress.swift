import Foundation

/// An IPv4 or IPv6 address, without port and without zone.
public struct IPAddress: Hashable, Sendable {
    /// In network order: 4 of them, or 16.
    public let bytes: [UInt8]

    /// `192.0.2.1` or `2001:db8::1`; `nil` for anything else, brackets and shortened IPv4 included.
    public init?(parsing text: some StringProtocol) {
        let text = String(text)
        var four = in_addr()
        var sixteen = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            bytes = withUnsafeBytes(of: &four) { Array($0) }
        } else if inet_pton(AF_INET6, text, &sixteen) == 1 {
            bytes = withUnsafeBytes(of: &sixteen) { Array($0) }
        } else {
            return nil
        }
    }

    /// Four bytes are an IPv4 address, sixteen an IPv6 address, anything else is none.
    init?(bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
        guard [4, 16].contains(self.bytes.count) else { return nil }
    }

    /// Whether it is an IPv4 address.
    public var isIPv4: Bool { bytes.count == 4 }

    /// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056).
    var embedded: IPAddress? {
        guard !isIPv4 else { return nil }
        if AddressRange.mapped.contains(self) || AddressRange.nat64.contains(self) {
            return IPAddress(bytes: bytes[12...])
        }
        return AddressRange.sixToFour.contains(self) ? IPAddress(bytes: bytes[2..<6]) : nil
    }
}

extension IPAddress: CustomStringConvertible {
    /// As it is written, an IPv6 address without brackets.
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = isIPv4 ? AF_INET : AF_INET6
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return "\(bytes)" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Addresses that begin with the same bits, `10.0.0.0/8` or `fd00::/8`.
public struct AddressRange: Hashable, Sendable {
    /// The first address; its bits behind the prefix are 0.
    public let first: IPAddress
    /// How many bits are the same, 0 to 32 or 0 to 128.
    public let prefixLength: Int

    /// `10.0.0.0/8`; an address alone is a range of one.
    /// - Returns: `nil` if it is no range, or if bits are set behind the prefix.
    public init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let first = IPAddress(parsing: parts[0]) else { return nil }
        let limit = first.bytes.count * 8
        let digits = parts.count == 2 ? parts[1] : "\(limit)"
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(digits),
            (0...limit).contains(length)
        else { return nil }
        self.init(first: first, prefixLength: length)
        guard (0..<first.bytes.count).allSatisfy({ first.bytes[$0] & ~mask(of: $0) == 0 }) else { return nil }
    }

    private init(first: IPAddress, prefixLength: Int) {
        self.first = first
        self.prefixLength = prefixLength
    }

    /// A range that is written here in the source.
    fileprivate init(known text: String) {
        guard let range = AddressRange(parsing: text) else { preconditionFailure("not a range: \(text)") }
        self = range
    }

    /// Whether the address is of this family and begins with the same bits.
    public func contains(_ address: IPAddress) -> Bool {
        address.bytes.count == first.bytes.count
            && address.bytes.indices.allSatisfy { address.bytes[$0] & mask(of: $0) == first.bytes[$0] }
    }

    /// The bits of byte `index` that belong to the prefix.
    private func mask(of index: Int) -> UInt8 {
        let bits = min(max(prefixLength - index * 8, 0), 8)
        return UInt8(truncatingIfNeeded: 0xFF00 >> bits)
    }
}

extension AddressRange: CustomStringConvertible {
    /// `10.0.0.0/8`.
    public var description: String { "\(first)/\(prefixLength)" }
}

extension AddressRange {
    static let mapped = AddressRange(known: "::ffff:0:0/96")
    static let nat64 = AddressRange(known: "64:ff9b::/96")
    static let sixToFour = AddressRange(known: "2002::/16")

    /// Where no server of the public federation is, with what is there instead.
    /// IANA, special-purpose address registries; multicast and site-local addresses besides.
    static let notPublic: [(range: AddressRange, use: String)] = [
        ("0.0.0.0/8", "this host"), ("10.0.0.0/8", "private"), ("100.64.0.0/10", "shared by a carrier"),
        ("127.0.0.0/8", "loopback"), ("169.254.0.0/16", "link-local"), ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "of protocols"), ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a relay of 6to4"), ("192.168.0.0/16", "private"), ("198.18.0.0/15", "for measurements"),
        ("198.51.100.0/24", "for documentation"), ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"), ("240.0.0.0/4", "reserved"), ("::/128", "unspecified"), ("::1/128", "loopback"),
        ("::/96", "an IPv4 address of old"), ("64:ff9b:1::/48", "behind a NAT64"), ("100::/64", "to be dropped"),
        ("2001:db8::/32", "for documentation"), ("2001::/23", "of protocols"), ("3fff::/20", "for documentation"),
        ("5f00::/16", "of segment routing"), ("fc00::/7", "private"), ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"), ("ff00::/8", "multicast"),
    ].map { (AddressRange(known: $0.0), $0.1) }
}
