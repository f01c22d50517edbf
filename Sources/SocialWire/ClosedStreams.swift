/// Numbers of streams that this end closed while an element may have been on its way: the one late element is answered
/// with another close, which a producer that did not notice the first one understands.
///
/// Past `limit` the oldest is forgotten, and its late element ignored. dcl-rpc: server streams, closing.
struct ClosedStreams: Sendable {
    private let limit: Int
    private var numbers: [MessageNumber] = []

    init(limit: Int) { self.limit = limit }

    var count: Int { numbers.count }

    func contains(_ number: MessageNumber) -> Bool { !numbers.isEmpty && numbers.contains(number) }

    mutating func remember(_ number: MessageNumber) {
        guard limit > 0, !contains(number) else { return }
        if numbers.count >= limit { numbers.removeFirst() }
        numbers.append(number)
    }

    /// - Returns: whether it was remembered.
    mutating func forget(_ number: MessageNumber) -> Bool {
        guard let place = numbers.firstIndex(of: number) else { return false }
        numbers.remove(at: place)
        return true
    }
}
