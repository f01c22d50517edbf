import AdminGateway
import Foundation

/// The file that holds the operator's token, readable by its owner only; made at the first start.
enum AdminTokenFile {
    /// Reads the token, or makes one if there is no file.
    /// - Throws: ``StartFailure`` for a file that cannot be read, written, or holds no token; it is left as it is.
    static func read(_ path: String) throws -> AdminToken {
        guard FileManager.default.fileExists(atPath: path) else { return try make(path) }
        guard let contents = FileManager.default.contents(atPath: path) else {
            throw StartFailure("cannot read the operator's token (admin.token_file)", ["path": "\(path)"])
        }
        let text = String(decoding: contents.prefix(AdminToken.limitBytes + 2), as: UTF8.self)
        guard let token = AdminToken(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw StartFailure(
                "admin.token_file holds no token: one line of 16 to 1,024 printable characters; remove the file to get a "
                    + "new one", ["path": "\(path)"])
        }
        return token
    }

    private static func make(_ path: String) throws -> AdminToken {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let text = "pra_" + bytes.map { String(format: "%02x", $0) }.joined()
        let isWritten = FileManager.default.createFile(
            atPath: path, contents: Data("\(text)\n".utf8), attributes: [.posixPermissions: 0o600])
        guard isWritten, let token = AdminToken(text) else {
            throw StartFailure("cannot write the operator's token (admin.token_file)", ["path": "\(path)"])
        }
        return token
    }
}
