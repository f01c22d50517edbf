import Foundation
import MatrixWire
import PresenceModel
import Yams

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The file that the homeserver and presenced read.
public enum RegistrationFile {
    /// How users begin who are the service's own where nothing else is said.
    public static let ghostPrefixes = ["_social_", "_world_"]
    /// A longer file is none of ours.
    static let limitBytes = 256 * 1024

    /// Writes a new registration with tokens of 32 random bytes each, readable by its owner alone.
    /// - Parameters:
    ///   - url: where the homeserver reaches presenced, without a path.
    ///   - ghostPrefixes: how the localparts begin of users that are the service's own.
    /// - Throws: ``RegistrationError``, also where there is such a file already: it is left as it is.
    public static func create(
        path: String, server: ServerName, url: String, ghostPrefixes: [String] = RegistrationFile.ghostPrefixes
    ) throws(RegistrationError) {
        let text = text(
            server: server, url: url, ownToken: randomToken(), homeserverToken: randomToken(),
            ghostPrefixes: ghostPrefixes)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let reason =
                errno == EEXIST
                ? "exists already; it is left as it is. The homeserver may know its tokens: remove it only to make new ones"
                : "cannot be written: \(String(cString: strerror(errno)))"
            throw RegistrationError(path: path, message: reason)
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try handle.write(contentsOf: Array(text.utf8))
            try handle.synchronize()
        } catch {
            throw RegistrationError(path: path, message: "could not be written: \(error.localizedDescription)")
        }
    }

    static func text(
        server: ServerName, url: String, ownToken: String, homeserverToken: String,
        ghostPrefixes: [String] = RegistrationFile.ghostPrefixes
    ) -> String {
        // In single quotes YAML knows no escapes but the doubled quote, which neither a server name nor a token has.
        let name = server.text.replacing(/[.\[\]]/) { "\\\($0.output)" }
        let pattern = "@.*:\(name)"
        let reserved = ghostPrefixes.map { prefix in
            """
                - exclusive: true
                  regex: '@\(prefix.replacing(/[.+]/) { "\\\($0.output)" }).*:\(name)'
            """
        }
        return """
            # presenced as an application service. The homeserver and presenced read this file; keep it secret.
            id: presenced
            # Where the homeserver reaches presenced: homeserver.application_service.listen in its configuration.
            url: '\(url.replacing("'", with: "''"))'
            as_token: \(ownToken)
            hs_token: \(homeserverToken)
            sender_localpart: presenced
            rate_limited: false
            receive_ephemeral: true
            # The same for homeservers of before version 1.13 of the specification.
            de.sorunome.msc2409.push_ephemeral: true
            protocols: []
            namespaces:
              # Not exclusive: that would make every user an application service's user, without push and password.
              users:
                - exclusive: false
                  regex: '\(pattern)'
                # But for users whom nobody else may make: friends in a social service who have no account here
                # (bridge.ghost_prefix, bridge.embedded_ghost_prefix).
            \(reserved.joined(separator: "\n"))
              rooms:
                - exclusive: false
                  regex: '.*'
              # Of the rooms of friends, where the social service makes them (social.rooms).
              aliases:
                - exclusive: false
                  regex: '#[^:]+[+][^:]+:\(name)'

            """
    }

    /// - Throws: ``RegistrationError``, naming the first key that is wrong.
    public static func read(_ path: String) throws(RegistrationError) -> Registration {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw RegistrationError(
                path: path, message: "cannot be read; make one with: presenced generate-registration --output \(path)")
        }
        guard bytes.count <= limitBytes else { throw RegistrationError(path: path, message: "is no registration") }
        let document: Any?
        do {
            document = try Yams.load(yaml: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw RegistrationError(path: path, message: "is not YAML")
        }
        guard let keys = document as? [String: Any] else {
            throw RegistrationError(path: path, message: "is not a list of keys and values")
        }
        return try RegistrationReader(path: path, keys: keys).registration()
    }

    private static func randomToken() -> String {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// The keys that matter; others are the homeserver's business.
private struct RegistrationReader {
    let path: String
    let keys: [String: Any]

    func registration() throws(RegistrationError) -> Registration {
        let (own, theirs) = (try token("as_token"), try token("hs_token"))
        guard own != theirs, let homeserverToken = ApplicationToken(theirs) else {
            throw fail("as_token and hs_token are the same; each side needs one of its own")
        }
        let sender = try text("sender_localpart")
        guard (try? UserID(parsing: "@\(sender):x")) != nil else {
            throw fail("sender_localpart is no local part of a user")
        }
        guard let namespaces = keys["namespaces"] as? [String: Any] else {
            throw fail("namespaces is missing, or is no section")
        }
        let rooms = try patterns("rooms", in: namespaces).open
        let users = try patterns("users", in: namespaces)
        guard rooms.contains(".*") else {
            throw fail("namespaces.rooms must hold the regex '.*': presenced needs to hear of every room")
        }
        guard isTrue("receive_ephemeral") || isTrue("de.sorunome.msc2409.push_ephemeral") else {
            throw fail("receive_ephemeral must be true: typing and reading are activity")
        }
        return Registration(
            id: try text("id"), url: try url(), ownToken: own, homeserverToken: homeserverToken,
            senderLocalpart: sender, userPatterns: users.open, reservedUserPatterns: users.reserved)
    }

    private func fail(_ message: String) -> RegistrationError { RegistrationError(path: path, message: message) }

    private func text(_ key: String) throws(RegistrationError) -> String {
        guard let value = keys[key] else { throw fail("\(key) is missing") }
        guard let text = value as? String, !text.isEmpty else { throw fail("\(key) must be a text") }
        return text
    }

    private func token(_ key: String) throws(RegistrationError) -> String {
        let text = try text(key)
        guard ApplicationToken(text) != nil else {
            throw fail("\(key) must be 16 to 1,024 printable characters without blanks")
        }
        return text
    }

    private func url() throws(RegistrationError) -> String? {
        guard let value = keys["url"] else { throw fail("url is missing") }
        if value is NSNull { return nil }
        guard let text = value as? String, text.hasPrefix("http://") || text.hasPrefix("https://") else {
            throw fail("url must begin with http:// or https://, or be null")
        }
        return text
    }

    private func isTrue(_ key: String) -> Bool { keys[key] as? Bool == true }

    /// Names that begin so are nobody's but an application service's: with an underscore, or with at least three
    /// characters that are given.
    private static func isNarrow(_ regex: String) -> Bool {
        guard regex.hasPrefix("@") else { return false }
        let given = regex.dropFirst().prefix { $0.isLetter || $0.isNumber || "_-/\\".contains($0) }
        return given.hasPrefix("_") || given.count >= 3
    }

    private func patterns(
        _ key: String, in namespaces: [String: Any]
    ) throws(RegistrationError) -> (open: [String], reserved: [String]) {
        guard let value = namespaces[key], !(value is NSNull) else { return ([], []) }
        guard let entries = value as? [[String: Any]] else { throw fail("namespaces.\(key) must be a list") }
        var patterns: (open: [String], reserved: [String]) = ([], [])
        for entry in entries {
            guard let regex = entry["regex"] as? String else { throw fail("namespaces.\(key): an entry without regex") }
            if key == "users", entry["exclusive"] as? Bool == true, RegistrationReader.isNarrow(regex) {
                patterns.reserved.append(regex)
                continue
            }
            guard entry["exclusive"] as? Bool == false else {
                throw fail(
                    "namespaces.\(key): exclusive must be false: what is there belongs to the homeserver's users, who could "
                        + "not log in by password any more")
            }
            patterns.open.append(regex)
        }
        return patterns
    }
}
