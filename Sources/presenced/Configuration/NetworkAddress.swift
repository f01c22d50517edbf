/// A host and a port, `127.0.0.1:8008`, `[::1]:8448` or `matrix.example.org:443`.
struct NetworkAddress: Hashable, Sendable {
    /// A name or an address; an IPv6 address without its brackets.
    var host: String
    /// 0 to 65535. Where presenced listens, 0 means any free port.
    var port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// `nil` unless the text is a host, a colon and a port; IPv6 addresses need brackets.
    init?(parsing text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(digits), port <= 65535
        else { return nil }
        var host = text[..<colon]
        if host.first == "[" {
            guard host.last == "]", host.contains(":") else { return nil }
            host = host.dropFirst().dropLast()
        } else {
            guard !host.contains(":") else { return nil }
        }
        let isPlain = host.utf8.allSatisfy { byte in
            let isLetter = (0x61...0x7A).contains(byte | 0x20)
            return isLetter || (0x30...0x39).contains(byte) || ".-:".utf8.contains(byte)
        }
        guard !host.isEmpty, isPlain else { return nil }
        self.init(host: String(host), port: port)
    }
}

extension NetworkAddress: CustomStringConvertible {
    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
