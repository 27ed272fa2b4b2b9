%inline %{
/** The folder that libOpenMMFlow was loaded from; its plugins are in the folder "plugins" there. */
std::string getLibraryFolder() {
    Dl_info info;
    // The address of a function that only the library can have.
    void (Flow::*method)(const std::string&) const = &Flow::save;
    if (dladdr(*(void**)&method, &info) == 0)
        return "";
    std::string path = info.dli_fname;
    return path.substr(0, path.find_last_of('/'));
}
%}
