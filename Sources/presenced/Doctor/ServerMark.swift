import PresenceModel

/// What a presenced says of itself to those who ask with `X-Presenced-Probe`: listener, server name, version.
///
/// By it an answer that came through presenced can be told from one that did not, also where the homeserver's answer
/// passes through byte for byte. Decision 23.
struct ServerMark: Hashable, Sendable {
    /// As in the log: `client`, `federation`, `admin`, `application_service`.
    var listener: String
    var serverName: String
    var version: String

    init(listener: String, serverName: ServerName, version: String = Presenced.version) {
        self.listener = listener
        self.serverName = serverName.text
        self.version = version
    }

    /// `nil` for what no presenced says.
    init?(parsing text: String) {
        let words = text.split(separator: " ")
        guard words.count == 3 else { return nil }
        (listener, serverName, version) = (String(words[0]), String(words[1]), String(words[2]))
    }

    /// `client example.org 0.1.0`
    var text: String { "\(listener) \(serverName) \(version)" }

    /// What is wrong with it where presenced's `listener` for `server`, of this version, was to answer.
    func difference(from listener: String, of server: ServerName) -> String? {
        if serverName != server.text { return "a presenced for \(serverName), not for \(server)" }
        if self.listener != listener { return "presenced's listener for \(self.listener), not the one for \(listener)" }
        if version != Presenced.version { return "presenced \(version), not \(Presenced.version)" }
        return nil
    }
}
