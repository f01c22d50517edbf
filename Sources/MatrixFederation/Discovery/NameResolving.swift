/// Looks names up in DNS.
protocol NameResolving: Sendable {
    /// The addresses of a host, in the order to try them; not empty.
    func addresses(of host: String) async throws(NameFailure) -> [IPAddress]

    /// The `SRV` records of a name, in no order; empty if there are none.
    func services(of name: String) async throws(NameFailure) -> [ServiceRecord]
}

/// Why a look-up gave nothing.
enum NameFailure: Error, Hashable, Sendable {
    /// There is no such name, or it has no address.
    case noSuchName
    /// No DNS server answered in time.
    case timedOut
    /// The DNS server could not or would not answer, in its words.
    case failed(String)
}
