import PresenceModel
import Synchronization

/// Answers which device a presented token belongs to, and follows the token file as it changes.
///
/// A known token costs one hash and one look-up, without the file. An unknown one makes the source ask the system
/// whether the file is another one by now (some microseconds; it is read only if it is), so that a token just made
/// works at once. A service calls ``refresh()`` every second. Safe to use from every thread; nothing suspends.
public final class TokenSource: Sendable {
    /// What ``TokenSource/refresh()`` found since it was last called.
    public struct Change: Hashable, Sendable {
        /// Devices that lost a token, sorted; what was opened with it must end.
        public var vanished: [DeviceKey]
        /// Users who had no token before, sorted.
        public var arrived: [UserID]
        /// Why the file could not be taken, said once for each time the file changed; the tokens of before stand.
        public var problem: TokenFileError?
    }

    /// What is known of the file and not yet told by ``TokenSource/refresh()``.
    private struct Watch {
        var sighting: FileSighting
        var vanished: Set<DeviceKey> = []
        var arrived: Set<UserID> = []
        var problem: TokenFileError?
    }

    private let file: TokenFile
    private let server: ServerName
    private let table: Mutex<TokenTable>
    /// Held while the file is read; those with known tokens do not wait for it.
    private let watch: Mutex<Watch>

    /// Tokens of users of other servers when the file was read first: they open nothing here. There are some where the
    /// name of the server was changed.
    public let strangers: Int

    /// Reads the file.
    /// - Parameter server: whose users' tokens count.
    /// - Throws: ``TokenFileError`` if there is a file that is unreadable or malformed.
    public init(file: TokenFile, server: ServerName) throws(TokenFileError) {
        let contents = try FileContents.read(file.path, limitBytes: TokenFile.limitBytes)
        let entries = try file.entries(from: contents.bytes)
        let own = entries.filter { $0.key.user.isHosted(by: server) }
        self.file = file
        self.server = server
        strangers = entries.count - own.count
        table = Mutex(TokenTable(own))
        watch = Mutex(Watch(sighting: contents.sighting))
    }

    /// The device that `token` belongs to.
    public func authenticate(_ token: String) -> DeviceKey? {
        guard token.utf8.count <= TokenTable.tokenLimitBytes else { return nil }
        let digest = TokenDigest(of: token)
        if let known = table.withLock({ $0.device(for: digest) }) { return known }
        watch.withLock { look(&$0) }
        return table.withLock { $0.device(for: digest) }
    }

    /// Whether the user has a token; a file that changed is looked at.
    public func knows(_ user: UserID) -> Bool {
        if table.withLock({ $0.users.contains(user) }) { return true }
        watch.withLock { look(&$0) }
        return table.withLock { $0.users.contains(user) }
    }

    /// Everyone who has a token, sorted.
    public var users: [UserID] { table.withLock { $0.users.sorted() } }

    /// Looks at the file and says what changed since the last call, also what ``authenticate(_:)`` came upon.
    public func refresh() -> Change {
        watch.withLock { watch in
            look(&watch)
            defer { (watch.vanished, watch.arrived, watch.problem) = ([], [], nil) }
            let vanished = watch.vanished.sorted { ($0.user, $0.device) < ($1.user, $1.device) }
            return Change(vanished: vanished, arrived: watch.arrived.sorted(), problem: watch.problem)
        }
    }

    /// Takes the file's tokens if it looks otherwise than the last time.
    private func look(_ watch: inout Watch) {
        let sighting = FileSighting(path: file.path)
        guard sighting != watch.sighting else { return }
        watch.sighting = sighting
        do throws(TokenFileError) {
            let contents = try FileContents.read(file.path, limitBytes: TokenFile.limitBytes)
            watch.sighting = contents.sighting
            let entries = try file.entries(from: contents.bytes)
            let newer = TokenTable(entries.filter { $0.key.user.isHosted(by: server) })
            let older = table.withLock { table in
                defer { table = newer }
                return table
            }
            watch.vanished.formUnion(older.devices(vanishedIn: newer))
            watch.arrived.formUnion(newer.users.subtracting(older.users))
            watch.problem = nil
        } catch {
            watch.problem = error
        }
    }
}
