import FoundationEssentials
import PresenceModel

/// What a wallet signs to hand on to an ephemeral key, three lines:
/// `Decentraland Login`, `Ephemeral address: 0x…`, `Expiration: ISO 8601 with a zone`.
struct EphemeralPayload: Hashable, Sendable {
    var address: EthereumAddress
    /// Not valid from here on.
    var expiration: Instant

    init(address: EthereumAddress, expiration: Instant) {
        self.address = address
        self.expiration = expiration
    }

    /// Lines may end in CR LF. `nil` for anything else.
    init?(_ text: String) {
        let lines = text.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 3, lines[0] == EphemeralPayload.title,
            lines[1].hasPrefix(EphemeralPayload.addressWord), lines[2].hasPrefix(EphemeralPayload.expirationWord),
            let address = EthereumAddress(String(lines[1].dropFirst(EphemeralPayload.addressWord.count))),
            let date = EphemeralPayload.date(String(lines[2].dropFirst(EphemeralPayload.expirationWord.count)))
        else { return nil }
        self.address = address
        let milliseconds = date.timeIntervalSince1970 * 1000
        let last = Double(Instant.distantFuture.millisecondsSinceEpoch)
        expiration = Instant(millisecondsSinceEpoch: Int64(min(max(milliseconds, 0), last)))
    }

    var text: String {
        let date = Date(timeIntervalSince1970: Double(expiration.millisecondsSinceEpoch) / 1000)
        let stamp = date.formatted(EphemeralPayload.withFraction)
        return "\(EphemeralPayload.title)\n\(EphemeralPayload.addressWord)\(address.checksummed)\n"
            + "\(EphemeralPayload.expirationWord)\(stamp)"
    }

    private static let title = "Decentraland Login"
    private static let addressWord = "Ephemeral address: "
    private static let expirationWord = "Expiration: "
    private static let withFraction = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    private static func date(_ text: String) -> Date? {
        guard text.utf8.count <= 40 else { return nil }
        if let date = try? Date(text, strategy: withFraction) { return date }
        return try? Date(text, strategy: Date.ISO8601FormatStyle())
    }
}
