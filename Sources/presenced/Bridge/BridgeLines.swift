import BridgeEngine
import PresenceModel
import SocialEngine

/// The operator's files for the bridge: a user and something of theirs on each line, blanks in between. A line that begins
/// with `#` is a comment. Lines that are none of this are left out, and named by their numbers.
enum BridgeLines {
    /// What a file says.
    struct Reading<Value: Hashable & Sendable>: Hashable, Sendable {
        /// In the order of the lines.
        var values: [Value] = []
        /// Lines that were left out, from 1.
        var badLines: [Int] = []
    }

    /// A user's token.
    struct Token: Hashable, Sendable {
        var user: UserID
        var text: String
    }

    /// The longest token.
    private static let tokenLimitBytes = 4096

    /// `@user:server 0xaddress`. Of two lines for a user, or for an address, the first counts.
    static func links(in text: some StringProtocol, of server: ServerName) -> Reading<Link> {
        var addresses: Set<SocialAddress> = []
        return read(text, of: server) { user, word in
            guard !word.hasPrefix("@"), let address = try? SocialAddress(parsing: word),
                addresses.insert(address).inserted
            else { return nil }
            return Link(user: user, address: address)
        }
    }

    /// `@user:server TOKEN`. Of two lines for a user the first counts.
    static func tokens(in text: some StringProtocol, of server: ServerName) -> Reading<Token> {
        read(text, of: server) { user, word in
            guard word.utf8.count <= tokenLimitBytes, word.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                return nil
            }
            return Token(user: user, text: String(word))
        }
    }

    private static func read<Value: Hashable & Sendable>(
        _ text: some StringProtocol, of server: ServerName, _ parse: (UserID, Substring) -> Value?
    ) -> Reading<Value> {
        var (reading, users) = (Reading<Value>(), Set<UserID>())
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = Substring(line).split { $0 == " " || $0 == "\t" }
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            guard words.count == 2, let user = try? UserID(parsing: first), user.isHosted(by: server),
                !users.contains(user), let value = parse(user, words[1])
            else {
                reading.badLines.append(number + 1)
                continue
            }
            users.insert(user)
            reading.values.append(value)
        }
        return reading
    }
}
