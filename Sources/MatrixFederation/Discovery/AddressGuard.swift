/// Keeps requests to other servers away from addresses that are not public, unless the operator allows them.
///
/// Whoever writes a DNS record or a `.well-known` document says where we connect: without the guard they could make
/// us talk to what only this machine or its network can reach. It is asked about the very address that the connection
/// is made to.
struct AddressGuard: Hashable, Sendable {
    /// Not public, and allowed all the same.
    var allowed: [AddressRange]

    /// Why no connection may be made to `address`, in words; `nil` if one may.
    ///
    /// An IPv6 address that stands for an IPv4 address is judged as that one as well.
    func refusal(of address: IPAddress) -> String? {
        if allowed.contains(where: { $0.contains(address) }) { return nil }
        if let other = AddressRange.notPublic.first(where: { $0.range.contains(address) }) {
            return "\(address) is \(other.use)"
        }
        return address.embedded.flatMap { refusal(of: $0) }.map {
            "\(address) stands for an address that is not public: \($0)"
        }
    }
}
