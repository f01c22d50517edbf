import HTTPTypes
import MatrixHTTP
import MatrixWire
import PresenceModel
import Synchronization

/// Filters that clients name by id: asked of the homeserver with the caller's own token, and kept, because they never
/// change.
///
/// Bounded in number and in bytes; the oldest goes first. Spec: client-server API, filtering.
final class SyncFilters: Sendable {
    /// The most filters, and the most bytes of all together, as the homeserver sent them.
    static let limit = 20_000
    static let limitBytes = 16 * 1024 * 1024
    /// A longer filter is not looked at.
    static let filterLimitBytes = 256 * 1024
    /// A longer id is none.
    private static let idLimitBytes = 255

    private struct Name: Hashable {
        var user: UserID
        var id: String
    }

    private struct Kept {
        var filter: SyncFilter
        var bytes: Int
    }

    private struct Shelf {
        var filters: [Name: Kept] = [:]
        var order: [Name] = []
        var first = 0
        var bytes = 0

        mutating func put(_ kept: Kept, as name: Name) {
            guard filters.updateValue(kept, forKey: name) == nil else { return }
            order.append(name)
            bytes += kept.bytes
            while filters.count > SyncFilters.limit || bytes > SyncFilters.limitBytes {
                bytes -= filters.removeValue(forKey: order[first])?.bytes ?? 0
                first += 1
            }
            if first > 1000, first * 2 > order.count {
                order.removeFirst(first)
                first = 0
            }
        }
    }

    private let pass: PassThrough
    private let timeout: Duration
    private let shelf = Mutex(Shelf())

    init(pass: PassThrough, timeout: Duration) {
        self.pass = pass
        self.timeout = timeout
    }

    /// - Returns: `nil` if the homeserver does not say.
    func filter(_ id: String, of user: UserID, for request: MatrixRequest) async -> SyncFilter? {
        guard !id.isEmpty, id.utf8.count <= SyncFilters.idLimitBytes else { return nil }
        let name = Name(user: user, id: id)
        if let kept = shelf.withLock({ $0.filters[name] }) { return kept.filter }
        guard let token = try? request.accessToken() else { return nil }
        let path = "/_matrix/client/v3/user/\(PercentEncoding.encode(user.text))/filter/\(PercentEncoding.encode(id))"
        var headers = pass.forwarding.origin(of: request)
        headers[.authorization] = "Bearer \(token)"
        headers[.acceptEncoding] = "identity"
        let call = Upstream.Call("GET", path, headers: headers)
        guard
            let answer = try? await pass.upstream.ask(call, within: timeout, limit: SyncFilters.filterLimitBytes),
            answer.status == 200, let filter = SyncFilter(decoding: answer.body)
        else { return nil }
        shelf.withLock { $0.put(Kept(filter: filter, bytes: answer.body.count + 512), as: name) }
        return filter
    }
}
