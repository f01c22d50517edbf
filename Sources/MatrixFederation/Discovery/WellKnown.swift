import Foundation
import MatrixWire
import NIOHTTP1
import PresenceModel

/// What became of asking for `/.well-known/matrix/server`.
enum WellKnownAnswer: Hashable, Sendable {
    /// A good document, and how long it may be relied on.
    case delegated(ServerName, life: Duration)
    /// There is none, or none that is good: the server does not delegate.
    case absent
    /// The host could not be asked just now.
    case failed(reason: String)

    /// Larger documents are not read.
    static let limitBytes = 50 * 1024

    /// What a reply means that is not a redirection.
    init(status: Int, headers: HTTPHeaders, body: [UInt8], at now: Instant) {
        switch status {
        case 200:
            let name = (try? JSONParser.lenient.parse(body).value)?["m.server"]?.string
            if let delegate = name.flatMap({ try? ServerName(parsing: $0) }) {
                self = .delegated(delegate, life: WellKnownMemory.life(headers, at: now))
            } else {
                self = .absent
            }
        case 408, 429, 500...599: self = .failed(reason: "status \(status)")
        default: self = .absent
        }
    }
}

/// What is known of servers' delegations, and until when.
///
/// A good document is kept as long as its headers say, 24 hours where they say nothing, between 5 minutes and 48
/// hours; that there is none for an hour; a failure for a minute, doubled with each further one up to an hour. While
/// failures last, a document fetched less than 48 hours ago still counts. At most ``serversLimit`` servers are kept;
/// past that the one that would be asked again first is forgotten.
/// Spec: server-server API, resolving server names, step 3; facts 3.5.
struct WellKnownMemory: Sendable {
    static let serversLimit = 20_000
    static let defaultLife = Duration.hours(24)
    static let longestLife = Duration.hours(48)
    static let shortestLife = Duration.minutes(5)
    static let absenceLife = Duration.hours(1)
    static let firstPause = Duration.minutes(1)
    static let longestPause = Duration.hours(1)

    private struct Entry {
        var delegate: ServerName?
        /// Asked again from here on.
        var freshUntil: Instant
        /// The delegate counts no more from here on, whatever happens.
        var delegateUntil: Instant
        var failures = 0
    }

    private var entries: [ServerName: Entry] = [:]
    private let limit: Int

    /// Knows nothing of any server.
    init(serversLimit: Int = WellKnownMemory.serversLimit) { limit = serversLimit }

    /// What is known of `server`: `.some(nil)` that it does not delegate, `nil` that it must be asked.
    func delegation(of server: ServerName, at now: Instant) -> ServerName?? {
        guard let entry = entries[server], now < entry.freshUntil else { return nil }
        return .some(now < entry.delegateUntil ? entry.delegate : nil)
    }

    /// Until when `server` need not be asked again; `nil` if it was never asked.
    func freshUntil(_ server: ServerName) -> Instant? { entries[server]?.freshUntil }

    /// Takes in an answer.
    /// - Returns: the delegation that counts now.
    mutating func note(_ answer: WellKnownAnswer, of server: ServerName, at now: Instant) -> ServerName? {
        var entry = entries[server] ?? Entry(freshUntil: now, delegateUntil: now)
        switch answer {
        case .delegated(let delegate, let life):
            entry = Entry(delegate: delegate, freshUntil: now + life, delegateUntil: now + Self.longestLife)
        case .absent:
            entry = Entry(freshUntil: now + Self.absenceLife, delegateUntil: now)
        case .failed:
            entry.failures += 1
            let pause = Self.firstPause * (1 << min(entry.failures - 1, 6))
            entry.freshUntil = now + min(pause, Self.longestPause)
        }
        if entries[server] == nil, entries.count >= limit,
            let first = entries.min(by: { ($0.value.freshUntil, $0.key) < ($1.value.freshUntil, $1.key) })
        {
            entries[first.key] = nil
        }
        entries[server] = entry
        return now < entry.delegateUntil ? entry.delegate : nil
    }

    /// How long a document may be relied on by its headers. RFC 9111: `max-age` goes before `Expires`.
    static func life(_ headers: HTTPHeaders, at now: Instant) -> Duration {
        let said = directedLife(headers[canonicalForm: "Cache-Control"]) ?? expiry(headers, at: now) ?? defaultLife
        return min(max(said, shortestLife), longestLife)
    }

    private static func directedLife(_ directives: [Substring]) -> Duration? {
        let words = directives.map { $0.lowercased().filter { !$0.isWhitespace && $0 != "\"" } }
        if words.contains("no-store") || words.contains("no-cache") { return .zero }
        guard let age = words.first(where: { $0.hasPrefix("max-age=") })?.dropFirst(8) else { return nil }
        // A number too large to read is still a long time.
        guard !age.isEmpty, age.utf8.allSatisfy({ (48...57).contains($0) }) else { return .zero }
        return .seconds(min(Int(age) ?? .max, 1 << 32))
    }

    private static func expiry(_ headers: HTTPHeaders, at now: Instant) -> Duration? {
        guard let text = headers.first(name: "Expires") else { return nil }
        // What is no date is in the past. RFC 9111, section 5.3.
        guard let end = HTTPDate.parse(text) else { return .zero }
        return .milliseconds(max(0, end.milliseconds(since: now)))
    }
}
