import PresenceModel
import Synchronization

/// What the operator was told about servers, so that it is said once and not at every try.
///
/// At most ``serversLimit`` servers; past that all are forgotten, and may be complained about once more.
final class Complaints: Sendable {
    static let serversLimit = 100_000

    private let said = Mutex<[ServerName: String]>([:])

    /// Whether the last thing said about `server` was another, or nothing; from now on it is this.
    func isNew(_ complaint: String, of server: ServerName) -> Bool {
        said.withLock { said in
            guard said[server] != complaint else { return false }
            if said.count >= Self.serversLimit { said.removeAll() }
            said[server] = complaint
            return true
        }
    }

    /// All is well again.
    /// - Returns: whether there had been something.
    @discardableResult
    func end(of server: ServerName) -> Bool { said.withLock { $0.removeValue(forKey: server) != nil } }
}
