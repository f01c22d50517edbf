import BridgeEngine
import ClientGateway
import Foundation
import Logging
import PresenceModel
import SocialBridge

/// Follows the operator's files for the bridge: links, and tokens for the external service.
actor BridgeFiles {
    /// A larger file is not read: about half a million lines.
    private static let limitBytes = 64 << 20

    private let server: ServerName
    private let desk: RunningDesk
    private let book: CredentialBook?
    private let logger: Logger
    private var links: FollowedFile?
    private var tokens: FollowedFile?
    private var hasLooked = false

    init(_ configuration: ServerConfiguration, desk: RunningDesk, book: CredentialBook?, logger: Logger) {
        server = configuration.serverName
        self.desk = desk
        self.book = book
        self.logger = logger
        let (linksFile, tokensFile) = (configuration.bridge.linksFile, configuration.bridge.tokensFile)
        links = linksFile.map { FollowedFile(path: $0, limitBytes: BridgeFiles.limitBytes) }
        tokens = tokensFile.map { FollowedFile(path: $0, limitBytes: BridgeFiles.limitBytes) }
    }

    /// Takes up what changed since the last call; the first takes up everything. What cannot be used is said in the log,
    /// once for each change, and what was before holds.
    func look() async {
        if !hasLooked, links == nil {
            // Without a file there is nothing that it says, whatever one said in an earlier run.
            await desk.take([])
        }
        hasLooked = true
        if let text = changed(&links, "bridge.links_file", isSecret: false) {
            let reading = BridgeLines.links(in: text, of: server)
            complain(of: reading.badLines, in: links)
            await desk.take(reading.values)
        }
        if let text = changed(&tokens, "bridge.tokens_file", isSecret: true) {
            let reading = BridgeLines.tokens(in: text, of: server)
            complain(of: reading.badLines, in: tokens)
            let pairs = reading.values.map { ($0.user, $0.text) }
            await book?.take(Dictionary(pairs, uniquingKeysWith: { first, _ in first }))
        }
    }

    /// Once a second, until it is cancelled.
    func follow() async {
        while !Task.isCancelled {
            await look()
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func changed(_ file: inout FollowedFile?, _ key: String, isSecret: Bool) -> String? {
        guard let path = file?.path else { return nil }
        do throws(TokenFileError) {
            switch try file?.look() {
            case nil: return nil
            case .missing:
                logger.warning("a file of the bridge is not there", metadata: ["key": "\(key)", "path": "\(path)"])
                return ""
            case .contents(_, isPrivate: false) where isSecret:
                logger.error(
                    "a file of the bridge holds secrets, and others may read it: chmod 600; what was before holds",
                    metadata: ["key": "\(key)", "path": "\(path)"])
                return nil
            case .contents(let bytes, _):
                if let text = String(validating: bytes, as: UTF8.self) { return text }
                logger.error(
                    "a file of the bridge is not UTF-8 text; what was before holds",
                    metadata: ["key": "\(key)", "path": "\(path)"])
                return nil
            }
        } catch {
            logger.error(
                "a file of the bridge cannot be used; what was before holds",
                metadata: ["key": "\(key)", "reason": "\(error)"])
            return nil
        }
    }

    private func complain(of lines: [Int], in file: FollowedFile?) {
        guard let first = lines.first else { return }
        logger.warning(
            "lines of a file of the bridge were left out: each is a user of this server and one word, once",
            metadata: ["path": "\(file?.path ?? "")", "lines": "\(lines.count)", "first": "\(first)"])
    }
}
