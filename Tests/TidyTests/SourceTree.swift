import Foundation

/// The checkout, as text.
enum SourceTree {
    struct File {
        struct Function {
            var start: Int
            var length: Int
        }

        var path: String
        var lines: [String]

        /// Lines without comments, numbered from 1.
        var codeLines: [(Int, String)] {
            lines.enumerated().compactMap { number, line in
                let trimmed = line.trimmingCharacters(in: .whitespaces)
                guard !trimmed.hasPrefix("//") else { return nil }
                let code = line.range(of: " // ").map { String(line[..<$0.lowerBound]) } ?? line
                return (number + 1, code)
            }
        }

        /// Functions by their indentation: from the line of `func` or `init` to the brace that closes it.
        var functions: [Function] {
            var found: [Function] = []
            for (start, line) in lines.enumerated() {
                let trimmed = line.trimmingCharacters(in: .whitespaces)
                let isFunction = trimmed.contains("func ") || trimmed.hasPrefix("init(") || trimmed.contains(" init(")
                guard isFunction, !trimmed.hasPrefix("//") else { continue }
                let indentation = line.prefix { $0 == " " }
                guard let end = lines[start...].firstIndex(where: { $0 == "\(indentation)}" }) else { continue }
                let length = end - start + 1
                found.append(Function(start: start + 1, length: trimmed.hasSuffix("}") ? 1 : length))
            }
            return found
        }
    }

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// Swift files of the sources and the tests.
    static func all() throws -> [File] { try files(under: "Sources") + files(under: "Tests") }

    /// Swift files below a folder.
    static func files(under folder: String) throws -> [File] {
        try paths(under: folder).filter { $0.hasSuffix(".swift") }.map(read)
    }

    /// Every text that people wrote, recordings left out.
    static func everything() throws -> [File] {
        var found: [File] = []
        for folder in ["Sources", "Tests", "Spec", "Config", ".ci"] { found += try paths(under: folder).map(read) }
        return found + ["README.md", "CHANGELOG.md", "Makefile", "Package.swift"].map(read)
    }

    private static func paths(under folder: String) throws -> [String] {
        let names = try FileManager.default.subpathsOfDirectory(atPath: "\(root)/\(folder)")
        return names.sorted().map { "\(folder)/\($0)" }.filter { path in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(root)/\(path)", isDirectory: &isFolder)
                && !isFolder.boolValue && !path.contains("__pycache__") && !path.contains("/Generated/")
        }
    }

    private static func read(_ path: String) -> File {
        let text = (try? String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)) ?? ""
        return File(path: path, lines: text.components(separatedBy: "\n"))
    }
}
