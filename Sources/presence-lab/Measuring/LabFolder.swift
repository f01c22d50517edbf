import Foundation

/// A folder of its own for one measurement, gone when it is removed.
struct LabFolder: Sendable {
    let path: String

    init() throws {
        let name = "presence-lab-\(ProcessInfo.processInfo.processIdentifier)-\(UUID().uuidString.prefix(8))"
        path = FileManager.default.temporaryDirectory.appending(path: name).path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    /// Writes a file that only its owner may read.
    /// - Returns: its path.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        let file = self.file(name)
        guard
            FileManager.default.createFile(
                atPath: file, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        else { throw LabError("cannot write \(file)") }
        return file
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// Why something could not be measured.
struct LabError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
