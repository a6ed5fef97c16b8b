export const isClassicPath = (path: string): boolean => /^\/(users|chat)(\/|$)/.test(path);
